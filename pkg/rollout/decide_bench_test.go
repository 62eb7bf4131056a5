package rollout

import (
	"testing"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// BenchmarkDecide times one look in the middle of a run, with its checks answered, and one at rest.
//
//	go test ./pkg/rollout -run '^$' -bench Decide -benchmem
func BenchmarkDecide(b *testing.B) {
	w := newToy(b)
	w.verdict = ""
	w.playOn(40)
	atRest := w.snapshot()
	w.target.template = "v2"
	w.controllers()
	w.playOn(40)
	w.verdict = v1beta1.VerdictPassed
	inRun := w.snapshot()
	if inRun.Canary.Status.Phase != v1beta1.PhaseProgressing || len(inRun.Answers) == 0 {
		b.Fatal("the world is not in the middle of a run")
	}
	for name, s := range map[string]*Snapshot{"at rest": atRest, "in a run": inRun} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Decide(s)
			}
		})
	}
}
