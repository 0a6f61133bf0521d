package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
)

const someTime = 1_763_000_000_000

func TestRecordsHaveTheSizesThatTheirShapesPromise(t *testing.T) {
	f := func(in format, least, most int) {
		t.Helper()
		n := len(in.append(nil, labelsOf(5432), 1358.25, someTime))
		require.True(t, n >= least && n <= most, "%s takes %d bytes", in, n)
	}
	f(flatJSON, 180, 200)
	f(avroFramed, 120, 170)
	f(wideJSON, 1350, 1500)
}

func TestSeriesDifferAndTheirLabelsAreSorted(t *testing.T) {
	seen := map[uint64]int{}
	for i := range 200_000 {
		set := labelsOf(i)
		other, double := seen[hashLabels(set[:])]
		require.False(t, double, "%d has the labels of %d", i, other)
		seen[hashLabels(set[:])] = i
		for j := 1; j < len(set); j++ {
			require.Less(t, set[j-1].name, set[j].name)
		}
	}
}

func TestJSONRecordsAreJSON(t *testing.T) {
	set := labelsOf(7)
	var flat struct {
		Labels map[string]string
		Value  float64
		TS     int64
	}
	require.NoError(t, json.Unmarshal(flatJSON.append(nil, set, 0.25, someTime), &flat))
	require.Len(t, flat.Labels, len(set))
	for _, l := range set {
		require.Equal(t, l.value, flat.Labels[l.name])
	}
	require.InDelta(t, 0.25, flat.Value, 0)
	require.Equal(t, int64(someTime), flat.TS)

	var wide struct {
		Metric, Env, Instance, Job string
		Value                      float64
		Time                       int64
		Device                     struct {
			Host string
			Site struct{ Region string }
		}
	}
	require.NoError(t, json.Unmarshal(wideJSON.append(nil, set, 0.25, someTime), &wide))
	got := [6]label{
		{"__name__", wide.Metric},
		{"env", wide.Env},
		{"host", wide.Device.Host},
		{"instance", wide.Instance},
		{"job", wide.Job},
		{"region", wide.Device.Site.Region},
	}
	require.Equal(t, set, got)
	require.InDelta(t, 0.25, wide.Value, 0)
	require.Equal(t, int64(someTime), wide.Time)
}

func TestAvroRecordsAreOfTheirSchema(t *testing.T) {
	schema, err := avro.Parse(avroSchema)
	require.NoError(t, err)
	set := labelsOf(7)
	record := avroFramed.append(nil, set, 0.25, someTime)
	require.Equal(t, []byte{0, 0, 0, 0, schemaID}, record[:5])
	var got struct {
		Labels map[string]string `avro:"labels"`
		Value  float64           `avro:"value"`
		TS     time.Time         `avro:"ts"`
	}
	rest, err := schema.Decode(record[5:], &got)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Len(t, got.Labels, len(set))
	for _, l := range set {
		require.Equal(t, l.value, got.Labels[l.name])
	}
	require.InDelta(t, 0.25, got.Value, 0)
	require.Equal(t, int64(someTime), got.TS.UnixMilli())
}
