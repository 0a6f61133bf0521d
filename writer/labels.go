package writer

import (
	"encoding/binary"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/kafka2prom/kafka2prom/transform"
)

// labelsOf ranges over the labels of a series, which are kept as the label
// fields of a prompb.TimeSeries: 0x0a, length, and in it 0x0a, length, name, 0x12,
// length, value. An empty name or value has no field.
func labelsOf(encoded string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for len(encoded) > 0 {
			var label string
			if label, encoded = field(encoded); label == "" && encoded == "" {
				return
			}
			var name, value string
			for len(label) > 0 {
				tag := label[0]
				var text string
				text, label = field(label)
				if tag == tagName {
					name = text
				} else {
					value = text
				}
			}
			if !yield(name, value) {
				return
			}
		}
	}
}

const (
	tagLabel = 0x0a // Of a TimeSeries.
	tagName  = 0x0a // Of a Label.
	tagValue = 0x12 // Of a Label.
)

// field takes the first field, a length-delimited one, off an encoded message.
// What is cut short gives nothing.
func field(encoded string) (content, rest string) {
	var length uint64
	for i, shift := 1, 0; i < len(encoded) && shift < 35; i, shift = i+1, shift+7 {
		length |= uint64(encoded[i]&0x7f) << shift
		if encoded[i] < 0x80 {
			rest = encoded[i+1:]
			if length > uint64(len(rest)) {
				return "", ""
			}
			return rest[:length], rest[length:]
		}
	}
	return "", ""
}

// appendLabel appends a label field as labelsOf reads it.
func appendLabel(dst []byte, name, value string) []byte {
	size := 0
	for _, text := range []string{name, value} {
		if text != "" {
			size += 1 + varintSize(uint64(len(text))) + len(text)
		}
	}
	dst = binary.AppendUvarint(append(dst, tagLabel), uint64(size))
	if name != "" {
		dst = append(binary.AppendUvarint(append(dst, tagName), uint64(len(name))), name...)
	}
	if value != "" {
		dst = append(binary.AppendUvarint(append(dst, tagValue), uint64(len(value))), value...)
	}
	return dst
}

// seriesText writes the labels as Prometheus does: {__name__="up", job="x"}.
func seriesText(encoded string) string {
	var b strings.Builder
	b.WriteByte('{')
	for name, value := range labelsOf(encoded) {
		if b.Len() > 1 {
			b.WriteString(", ")
		}
		if plainName(name) {
			b.WriteString(name)
		} else {
			b.WriteString(strconv.Quote(name))
		}
		b.WriteByte('=')
		b.WriteString(strconv.Quote(value))
	}
	b.WriteByte('}')
	return b.String()
}

// plainName says that a label name needs no quotes.
func plainName(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// seriesIn finds the series that a line of text names, as receivers do in their
// answers, and returns each as encoded labels: {__name__="up", job="x"} or
// up{job="x"}. The rest is the line without them, what the receiver itself says.
func seriesIn(line string) (series []string, rest string) {
	var said strings.Builder
	for {
		before, behind, found := strings.Cut(line, "{")
		if !found {
			said.WriteString(line)
			return series, said.String()
		}
		labels, length, ok := parseLabels(behind)
		if !ok {
			said.WriteString(before + "{")
			line = behind
			continue
		}
		name := nameBefore(before)
		if name != "" {
			labels = append(labels, transform.Label{Name: "__name__", Value: name})
		}
		series = append(series, encodeLabels(labels))
		said.WriteString(strings.TrimSuffix(before, name))
		line = behind[length:]
	}
}

// nameBefore returns the metric name that ends a text.
func nameBefore(text string) string {
	at := len(text)
	for at > 0 && (text[at-1] == ':' || plainName("_"+text[at-1:at])) {
		at--
	}
	return text[at:]
}

// encodeLabels sorts the labels and encodes them as a Series has them.
func encodeLabels(labels []transform.Label) string {
	slices.SortFunc(labels, func(a, b transform.Label) int { return strings.Compare(a.Name, b.Name) })
	var encoded []byte
	for _, l := range labels {
		encoded = appendLabel(encoded, l.Name, l.Value)
	}
	return string(encoded)
}

// parseLabels reads name="value" pairs up to the closing brace, and returns how
// many bytes they take.
func parseLabels(text string) (labels []transform.Label, length int, ok bool) {
	rest := text
	for {
		rest = strings.TrimLeft(rest, ", ")
		if strings.HasPrefix(rest, "}") {
			return labels, len(text) - len(rest) + 1, true
		}
		var name, value string
		if strings.HasPrefix(rest, `"`) {
			name, rest, ok = unquote(rest)
		} else {
			name, rest, ok = strings.Cut(rest, "=")
			rest = "=" + rest
			ok = ok && plainName(name)
		}
		if !ok || !strings.HasPrefix(rest, "=") {
			return nil, 0, false
		}
		if value, rest, ok = unquote(rest[1:]); !ok {
			return nil, 0, false
		}
		labels = append(labels, transform.Label{Name: name, Value: value})
	}
}

// unquote takes a quoted string off the beginning of a text.
func unquote(text string) (value, rest string, ok bool) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil || text[0] != '"' {
		return "", "", false
	}
	value, err = strconv.Unquote(quoted)
	return value, text[len(quoted):], err == nil
}
