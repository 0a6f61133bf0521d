package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// label is a name and a value.
type label struct{ name, value string }

// labelsOf returns the labels of a series, sorted by name. They are as long as real
// ones are; the instance is what makes each series another.
func labelsOf(series int) [6]label {
	n := strconv.Itoa
	return [6]label{
		{"__name__", "load_metric_" + n(series%100) + "_total"},
		{"env", []string{"prod", "staging"}[series%2]},
		{"host", "host-" + n(1000+series/100)},
		{"instance", "10.0." + n(series/250%250) + "." + n(series%250) + ":9100-" + n(series)},
		{"job", "job-" + n(series%17)},
		{"region", []string{"eu-west-1", "us-east-1", "ap-south-1"}[series%3]},
	}
}

// format is how a sample is written into a record.
type format string

// The formats. The limit program knows them by the same names.
const (
	flatJSON   format = "json" // About 185 bytes.
	wideJSON   format = "wide" // About 1.4 kB, most of which no rule wants.
	avroFramed format = "avro" // With the framing of a schema registry.
)

// schemaID is what the registry of the benchmark knows avroSchema by.
const schemaID = 1

const avroSchema = `{"type":"record","name":"Sample","fields":[` +
	`{"name":"labels","type":{"type":"map","values":"string"}},{"name":"value","type":"double"},` +
	`{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}}]}`

// mapping is the part of the pipeline that reads the format.
func (f format) mapping(registry string) string {
	switch f {
	case wideJSON:
		return `format: json
    samples:
      - name: ${metric}
        value: value
        timestamp: time
        labels: {env: env, host: device.host, instance: instance, job: job, region: device.site.region}`
	case avroFramed:
		return fmt.Sprintf(`format: avro
    schema_registry: {url: %q}
    samples: [{labels_from: labels, value: value, timestamp: ts}]`, registry)
	default:
		return `format: json
    samples: [{labels_from: labels, value: value, timestamp: ts}]`
	}
}

// append writes the record of one sample; at is in milliseconds.
func (f format) append(b []byte, set [6]label, value float64, at int64) []byte {
	switch f {
	case wideJSON:
		return appendWide(b, set, value, at)
	case avroFramed:
		return appendAvro(b, set, value, at)
	default:
		return appendFlat(b, set, value, at)
	}
}

func appendFlat(b []byte, set [6]label, value float64, at int64) []byte {
	b = append(b, `{"labels":{`...)
	for i, l := range set {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(append(append(b, '"'), l.name...), `":"`...), l.value...), '"')
	}
	b = append(b, `},"value":`...)
	b = strconv.AppendFloat(b, value, 'g', -1, 64)
	b = append(b, `,"ts":`...)
	return append(strconv.AppendInt(b, at, 10), '}')
}

func appendAvro(b []byte, set [6]label, value float64, at int64) []byte {
	text := func(s string) { b = append(binary.AppendVarint(b, int64(len(s))), s...) }
	b = binary.BigEndian.AppendUint32(append(b, 0), schemaID)
	b = binary.AppendVarint(b, int64(len(set)))
	for _, l := range set {
		text(l.name)
		text(l.value)
	}
	b = append(b, 0) // No further block.
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(value))
	return binary.AppendVarint(b, at)
}

// What surrounds the six labels, the value and the time of a wide record: text with
// escapes, nested objects, arrays, numbers, and nothing that a rule wants.
const (
	wideHead = `{"id":"7f6c1b52-4c0e-4b43-9b1c-0a52c1f0e6d1","type":"telemetry.v3","producer":{"name":"edge-gateway","version":"4.18.2","build":{"commit":"9b2f61c0","dirty":false,"tags":["release","arm64"]}},"sequence":4815162342,`
	wideNear = `"device":{"serial":"SN-0099-4431-AB","model":"TX-200 \"compact\"","firmware":{"major":2,"minor":14,"patch":7,"channel":"stable"},"battery":{"volts":3.71,"percent":84.5,"cycles":211},`
	wideFar  = `"network":{"interface":"eth0","address":"192.168.14.22","gateway":"192.168.14.1","rx_bytes":918273645,"tx_bytes":123456789,"errors":[0,0,3,0],"vlan":null},"tags":{"team":"platform","tier":"gold","cost-centre":"cc-8841","owner":"metrics@example.org"},`
	wideText = `"message":"reading taken by schedule \"five-minutes\"\nsource=\\\\edge\\queue, attempts=1, état=normal","flags":["calibrated","synchronised","encrypted"],"location":{"lat":59.913868,"lon":10.752245,"altitude":23.0,"accuracy":4.5},`
	wideTail = `"quality":{"score":0.9987,"checks":[{"name":"range","ok":true},{"name":"drift","ok":true},{"name":"noise","ok":false}]},"history":[20.5,20.75,21,21.25,21.5,21.25,21,20.75],"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","sampled":true},"unit":"celsius","received":1700000000123}`
)

func appendWide(b []byte, set [6]label, value float64, at int64) []byte {
	member := func(name, value string) {
		b = append(append(append(append(append(b, '"'), name...), `":"`...), value...), '"')
	}
	b = append(b, wideHead...)
	member("metric", set[0].value)
	b = append(b, ',')
	member("env", set[1].value)
	b = append(append(b, ','), wideNear...)
	member("host", set[2].value)
	b = append(b, `,"site":{"code":"OSL-4","floor":3,`...)
	member("region", set[5].value)
	b = append(append(b, `}},`...), wideFar...)
	member("instance", set[3].value)
	b = append(b, ',')
	member("job", set[4].value)
	b = append(append(b, ','), wideText...)
	b = strconv.AppendFloat(append(b, `"value":`...), value, 'g', -1, 64)
	b = strconv.AppendInt(append(b, `,"time":`...), at, 10)
	return append(append(b, ','), wideTail...)
}
