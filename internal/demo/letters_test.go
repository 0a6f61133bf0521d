package demo

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kafka2prom/kafka2prom/transform"
)

// dead is a dead letter as the consumer writes it.
func dead(headers ...string) *kgo.Record {
	rec := &kgo.Record{Topic: deadLetters(sensorTopic), Value: []byte("{}")}
	for i := 0; i < len(headers); i += 2 {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return rec
}

func TestALetterSaysWhichRecordItIsAbout(t *testing.T) {
	for refused, exact := range map[string]bool{
		`[{"stage":"map"}]`:                                              true,
		`[{"stage":"write","isolated":true}]`:                            true,
		`[{"stage":"write","isolated":false}]`:                           false,
		`[{"stage":"write","isolated":false},{"stage":"decode"}]`:        true,
		`[{"stage":"write","isolated":false},{"isolated":false}]`:        false,
		`[{"stage":"write","isolated":false},{"isolated":true}]`:         true,
		`[{"stage":"write","reason":"refused","isolated":false,"x":{}}]`: false,
	} {
		c, l, err := parseLetter(dead(
			"kafka2prom.topic", "sensors", "kafka2prom.partition", "3", "kafka2prom.offset", "41",
			"kafka2prom.reason", "refused", "kafka2prom.error", "out of bounds", "kafka2prom.refused", refused,
		))
		require.NoError(t, err)
		require.Equal(t, coordinates{"sensors", 3, 41}, c)
		require.Equal(t, letter{reason: transform.ReasonRefused, text: "out of bounds", exact: exact}, l, refused)
	}
}

func TestALetterThatMakesNoSenseIsAnError(t *testing.T) {
	for _, headers := range [][]string{
		{},
		{"kafka2prom.partition", "x", "kafka2prom.offset", "1", "kafka2prom.refused", "[]"},
		{"kafka2prom.partition", "1", "kafka2prom.offset", "", "kafka2prom.refused", "[]"},
		{"kafka2prom.partition", "1", "kafka2prom.offset", "1", "kafka2prom.refused", "{"},
	} {
		l := newLetterReader(nil)
		rec := dead(headers...)
		rec.Offset = 6
		l.take(rec)
		_, err := l.snapshot()
		require.ErrorContains(t, err, "reading dead letter 6 of sensors.dead")
		require.True(t, l.caughtUp("sensors.dead", 7))
		require.False(t, l.caughtUp("sensors.dead", 8))
		require.False(t, l.caughtUp("meters.dead", 1))
	}
}
