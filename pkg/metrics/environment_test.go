package metrics_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"weir.dev/weir/pkg/metrics"
)

func TestEnvironment(t *testing.T) {
	v := metrics.Vars{
		Name: "app", Namespace: "shop", Target: "podinfo", Service: "podinfo", Revision: metrics.Canary, Hash: "abc", Weight: 20,
		Variables: map[string]string{"topic": "orders", "min-Score.2": "9", "PRICE": "$(WEIR_HASH) for $5"},
	}
	env, err := v.Environment()
	require.NoError(t, err)
	assert.Equal(t, []corev1.EnvVar{
		{Name: "WEIR_NAME", Value: "app"}, {Name: "WEIR_NAMESPACE", Value: "shop"}, {Name: "WEIR_TARGET", Value: "podinfo"},
		{Name: "WEIR_SERVICE", Value: "podinfo"}, {Name: "WEIR_REVISION", Value: "canary"}, {Name: "WEIR_HASH", Value: "abc"},
		{Name: "WEIR_WEIGHT", Value: "20"},
		{Name: "WEIR_VARIABLES_PRICE", Value: "$$(WEIR_HASH) for $$5"},
		{Name: "WEIR_VARIABLES_MIN_SCORE_2", Value: "9"}, {Name: "WEIR_VARIABLES_TOPIC", Value: "orders"},
	}, env)

	v.Variables = map[string]string{"min-score": "1", "min.score": "2"}
	_, err = v.Environment()
	require.ErrorIs(t, err, metrics.Rejected)
	require.EqualError(t, err, "templateVariables min-score and min.score are both WEIR_VARIABLES_MIN_SCORE to a container; "+
		"rename one of them")
}
