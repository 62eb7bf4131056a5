package annotated_test

import (
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/annotated"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// names are those of all annotations that set something, and of some that do not.
func names() []string {
	return []string{
		"weir.dev/port", "weir.dev/provider", "weir.dev/hosts", "weir.dev/gateways", "weir.dev/ingress", "weir.dev/step-weights",
		"weir.dev/interval", "weir.dev/threshold", "weir.dev/success-rate", "weir.dev/latency", "weir.dev/metrics-server",
		"weir.dev/skip-analysis", "weir.dev/runbook-url", "weir.dev/dashboard-url", "weir.dev/profile", "weir.dev/other",
	}
}

// FuzzAnnotations: a value makes a Canary that can be written, with numbers within their bounds, or it is refused by its
// name in text that can be shown; and it is so each time.
func FuzzAnnotations(f *testing.F) {
	for i := range names() {
		for _, value := range []string{
			"", "9898", "istio:v1", "a.example.com, *.b.example.com", "infra/public,inner", "5,20%,50", "30s", "1h0.5m", "3", "99.5",
			"NaN", "1e999", "0x1p4", "https://a.example/x?y", "true", "$(name)", "-1", "5,5", "\xff", "a\nb", "$(port)", "http://[::1",
			"1e-400",
		} {
			f.Add(uint8(i), value)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, value string) {
		name := names()[int(i)%len(names())]
		a := asking(map[string]string{"weir.dev/canary": "true", name: value}, 9898)
		canary, err := annotated.Canary(a, profile(t, careful))
		again, errAgain := annotated.Canary(a, profile(t, careful))
		require.Equal(t, err, errAgain)
		require.Equal(t, canary, again)
		if err != nil {
			require.Nil(t, canary)
			require.Contains(t, err.Error(), name)
			require.True(t, utf8.ValidString(err.Error()))
			require.NotContains(t, err.Error(), "\n")
			return
		}
		spec := &canary.Spec
		_, err = json.Marshal(canary) // which NaN and Inf cannot be
		require.NoError(t, err)
		require.True(t, spec.Service.Port >= 1 && spec.Service.Port <= math.MaxUint16)
		require.True(t, spec.Analysis.Threshold >= 0 && spec.Analysis.Threshold <= 1000)
		last := int32(0)
		for _, w := range spec.Analysis.StepWeights {
			require.True(t, w > last && w <= 100, spec.Analysis.StepWeights)
			last = w
		}
		for _, m := range spec.Analysis.Metrics {
			if r := m.ThresholdRange; r != nil && r.Min != nil {
				require.True(t, *r.Min > 0 && *r.Min <= 100)
			}
		}
		require.Equal(t, v1beta1.KindDeployment, spec.TargetRef.Kind)
	})
}
