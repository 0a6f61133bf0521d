package transform

import (
	"encoding/json"
	"math"
	"testing"
)

func BenchmarkScan(b *testing.B) {
	doc := []byte(`{"labels":{"__name__":"room_temperature_celsius","site":"oslo-1","building":"north","floor":"3","room":"3.14","device":"dev-00001"},"value":1.5,"ts":1700000000000}`)
	var p plan
	p.want([]step{{"labels", -1}})
	p.want([]step{{"value", -1}})
	p.want([]step{{"ts", -1}})
	s := newScanner(Limits{Depth: 64, Nodes: math.MaxInt})
	b.SetBytes(int64(len(doc)))
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			if err := s.document(doc, &p); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("valid", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			json.Valid(doc)
		}
	})
}
