package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The topics of the stream. A topic's dead letters go to its name with .dead.
const (
	sensorTopic = "sensors"
	meterTopic  = "meters"
)

// faultOneIn is how rare faults are among the records of the sound devices.
const faultOneIn = 100

// stream makes the readings of a plant, one record after the other, and says of each
// what must become of it. The same seed gives the same stream.
type stream struct {
	random  *rand.Rand
	schema  *avro.Schema
	devices []*device
	turn    int
	// next is the second record of a pair.
	next *reading
}

// reading is one record of the stream.
type reading struct {
	record *kgo.Record
	fault  fault
	// samples must be stored, whatever becomes of the record.
	samples []point
	text    string // For people.
}

// point is one sample of the series with a name in Prometheus' notation.
type point struct {
	series    string
	timestamp int64 // In milliseconds.
	value     float64
}

func newStream(seed uint64, schema *avro.Schema) *stream {
	random := rand.New(rand.NewPCG(seed, 0))
	return &stream{random: random, schema: schema, devices: plant(random)}
}

// read makes the next record. The time is that of the world; times never decrease.
func (s *stream) read(at time.Time) (reading, error) {
	if s.next != nil {
		r := *s.next
		s.next = nil
		return r, nil
	}
	d := s.device()
	m := measurement{device: d, at: d.now(at), values: d.measure(at, s.random), fault: d.clock}
	if m.fault == sound && s.random.IntN(faultOneIn) == 0 {
		return s.faulty(m)
	}
	return s.encode(m)
}

// device is whose turn it is. Those with a bad clock speak up rarely.
func (s *stream) device() *device {
	for {
		d := s.devices[s.turn]
		s.turn = (s.turn + 1) % len(s.devices)
		if d.clock == sound || s.random.IntN(10) == 0 {
			return d
		}
	}
}

// faulty makes a record with a fault; where it takes two, the second comes next.
func (s *stream) faulty(m measurement) (reading, error) {
	faults := []fault{truncated, noValue, tombstone, conflict, repeated, textValue}
	if m.device.meter {
		faults[len(faults)-1] = unknownSchema
	}
	f := faults[s.random.IntN(len(faults))]
	if f != conflict && f != repeated {
		m.fault = f
		return s.encode(m)
	}
	first, err := s.encode(m)
	if err != nil {
		return reading{}, err
	}
	m.fault = f
	if f == conflict {
		m.values = slices.Clone(m.values)
		for i := range m.values {
			m.values[i] = hundredths(m.values[i] + 10)
		}
	}
	second, err := s.encode(m)
	s.next = &second
	return first, err
}

// measurement is what a device has measured, before it is a record.
type measurement struct {
	device *device
	at     time.Time
	values []float64
	fault  fault
}

func (s *stream) encode(m measurement) (reading, error) {
	r := reading{fault: m.fault, samples: m.samples()}
	var value []byte
	var err error
	topic := sensorTopic
	if m.device.meter {
		topic = meterTopic
		value, r.text, err = m.avro(s.schema)
	} else {
		value, err = m.json()
		r.text = string(value)
	}
	if err != nil {
		return reading{}, fmt.Errorf("encoding a reading: %w", err)
	}
	switch m.fault {
	case truncated:
		value = value[:len(value)*2/3]
	case unknownSchema:
		value[2] ^= 0xff // The first byte of the fingerprint.
	case tombstone:
		value = nil
	default:
	}
	if m.fault != sound {
		r.text = "[" + string(m.fault) + "] " + r.text
	}
	r.record = &kgo.Record{Topic: topic, Key: []byte(m.device.id), Value: value, Timestamp: m.at}
	return r, nil
}

// samples are those that must be stored.
func (m measurement) samples() []point {
	var points []point
	for i, name := range m.device.names {
		kept := m.fault.fate() == stored || m.fault == textValue && i == 1
		if kept {
			points = append(points, point{series: name, timestamp: m.at.UnixMilli(), value: m.values[i]})
		}
	}
	return points
}

// json is a sensor's record.
func (m measurement) json() ([]byte, error) {
	type device struct {
		ID   string `json:"id"`
		Room string `json:"room"`
	}
	type values struct {
		Temperature any `json:"temperature"`
		Humidity    any `json:"humidity"`
	}
	v := values{Temperature: m.values[0], Humidity: m.values[1]}
	switch m.fault {
	case textValue:
		v.Temperature = "sensor failure"
	case noValue:
		v = values{}
	default:
	}
	return json.Marshal(struct {
		Site    string `json:"site"`
		Device  device `json:"device"`
		At      string `json:"at"`
		Reading values `json:"reading"`
	}{
		Site:    m.device.site,
		Device:  device{ID: m.device.id, Room: m.device.room},
		At:      m.at.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		Reading: v,
	})
}

// avro is a meter's record, and what it says.
func (m measurement) avro(schema *avro.Schema) (value []byte, text string, err error) {
	type meterReading struct {
		Site  string    `avro:"site"`
		Meter string    `avro:"meter"`
		At    time.Time `avro:"at"`
		Watts *float64  `avro:"watts"`
	}
	r := meterReading{Site: m.device.site, Meter: m.device.id, At: m.at.UTC()}
	said := "null"
	if m.fault != noValue {
		r.Watts, said = &m.values[0], fmt.Sprint(m.values[0])
	}
	value, err = schema.AppendSingleObject(nil, r)
	return value, fmt.Sprintf("avro %s %s watts=%s", m.device.id, m.at.UTC().Format("15:04:05.000"), said), err
}
