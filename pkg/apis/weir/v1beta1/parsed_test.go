package v1beta1_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// FuzzParseCommand: what is taken is what was written, and keeps to its bounds; what is refused is told in one short
// sentence.
func FuzzParseCommand(f *testing.F) {
	for _, annotation := range []string{
		`{"id": "1", "verb": "pause"}`, `{"id": "1", "verb": "approve", "gate": "load", "reason": "ü", "actor": "a@b"}`,
		`{"id": "1", "verb": "promote", "full": true}`, `{"id": "1", "verb": "abort"} {}`, `{"id": "1", "verb": "stop"}`,
		`{"ID": "1", "Verb": "retry"}`, `{"id": "1", "id": "2", "verb": "resume"}`, `{"id": "\ud800", "verb": "resume"}`,
		`{"id": "1", "verb": "resume", "until": "noon"}`, `null`, `[]`, `"pause"`, ``, `{"id": "` + strings.Repeat("x", 200) + `"}`,
	} {
		f.Add(annotation)
	}
	f.Fuzz(func(t *testing.T, annotation string) {
		c, err := v1beta1.ParseCommand(annotation)
		if err != nil {
			require.Zero(t, c)
			require.LessOrEqual(t, len(err.Error()), 1024)
			require.True(t, utf8.ValidString(err.Error()))
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.Contains(t, v1beta1.Verbs(), c.Verb)
		require.LessOrEqual(t, utf8.RuneCountInString(c.ID), 128)
		require.LessOrEqual(t, max(len(c.Reason), len(c.Actor), len(c.Gate)), 4*512)
		written, err := json.Marshal(c)
		require.NoError(t, err)
		again, err := v1beta1.ParseCommand(string(written))
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}

// FuzzParseQuantity: it is quick whatever is written, and Kubernetes' own takes it for the same.
func FuzzParseQuantity(f *testing.F) {
	for _, text := range []string{
		"0", "500m", "1.5Gi", "1e3", "1E3", "1E", "-3k", "1e-999", "1e+999", "1234567890123456789012e2147483647",
		"1234567890123456789012e-9999999", "1234567890123456789012e999", strings.Repeat("9", 64), strings.Repeat("9", 1<<16), ".", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		began := time.Now()
		q, err := v1beta1.ParseQuantity(text)
		require.Less(t, time.Since(began), 5*time.Second)
		if err != nil {
			require.LessOrEqual(t, len(err.Error()), 512)
			return
		}
		require.False(t, math.IsNaN(q.AsApproximateFloat64()))
		own, err := resource.ParseQuantity(text)
		require.NoError(t, err)
		require.Zero(t, own.Cmp(q))
	})
}
