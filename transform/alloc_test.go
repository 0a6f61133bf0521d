package transform

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMappingKnownSeriesAllocatesNothing(t *testing.T) {
	f := func(config, record string) {
		t.Helper()
		m := newTestMapper(t, config)
		rec := testRecord(record)
		var out Output
		allocs := testing.AllocsPerRun(100, func() {
			out.Reset()
			if v, err := m.Apply(rec, 1, &out); v != Mapped || err != nil {
				t.Error(v, err, out.Refused)
			}
		})
		require.Zero(t, allocs, record)
	}
	f(`samples: [{value: v, labels_from: l, timestamp: t}]`, `{"l":{"__name__":"m","a":"b"},"v":1.5,"t":1700000000000}`)
	f(`samples: [{name: m, value: a.v, timestamp: {path: a.t, format: s}, labels: {x: x, y: 'y[1]', k: $key, h: $header.site, o: $offset}}]`,
		`{"a":{"v":"1.5","t":"1700000000.25"},"x":"\u00e5","y":[1,2]}`)
	f(`{samples: [{name: m, value: v, timestamp: t}], zone: Europe/Oslo, limits: {max_future: 10000h}}`, `{"v":true,"t":"2024-08-15T17:00:00.5"}`)
	f(`samples: [{name: m, value: v, timestamp: t}]`, `{"v":1,"t":"2024-08-15T17:00:00+02:00"}`)
	f(`samples: [{name: m, value: v, timestamp: {path: t, format: "%Y-%m-%d"}}]`, `{"v":1,"t":"2024-08-15"}`)
	f(`samples: [{name: "${name}_${field}", values_from: fields, labels_from: tags}]`, `{"fields":{"a":1,"b":true,"c":"x"},"name":"cpu","tags":{"h":"x"}}`)
	f(`samples: [{name: m, each: a, value: v, labels: {l: l, i: $index}}, {name: n, each: b, value: .}]`, `{"a":[{"v":1,"l":"x"},{"v":2,"l":"y"}],"b":[1,2,3]}`)
}
