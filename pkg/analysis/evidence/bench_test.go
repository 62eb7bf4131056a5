package evidence_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"weir.dev/weir/pkg/analysis/evidence"
)

// BenchmarkUpdate counts one window and reads the result, in the middle of a run.
func BenchmarkUpdate(b *testing.B) {
	for name, test := range tests() {
		b.Run(name, func(b *testing.B) {
			load := loads()[0]
			if test.Kind == evidence.Latency {
				load = loads()[2]
			}
			r := rand.New(rand.NewPCG(1, 1))
			var s evidence.State
			for w := range 20 {
				s, _ = test.Update(s, load.next(r, w))
			}
			kept, err := json.Marshal(s)
			if err != nil {
				b.Fatal(err)
			}
			w := load.next(r, 20)
			b.ReportAllocs()
			for b.Loop() {
				next, _ := test.Update(s, w)
				test.Result(next)
			}
			b.ReportMetric(float64(len(kept)), "B/state")
		})
	}
}
