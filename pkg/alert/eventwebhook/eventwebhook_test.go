package eventwebhook_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/alerttest"
	"weir.dev/weir/pkg/alert/eventwebhook"
)

// Write the golden files anew with `go test ./pkg/alert/eventwebhook -run Conformance -rewrite`.
var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func TestConformance(t *testing.T) {
	alerttest.Run(t, alerttest.Suite{
		New:     func(site alert.Site) (alert.Channel, error) { return eventwebhook.New(site) },
		Accepts: alerttest.Answer(http.StatusOK, ""),
		Refusal: func(words string) http.Handler { return alerttest.Answer(http.StatusBadRequest, words) },
		Limits: func(t *testing.T, body []byte) {
			var p struct{ Metadata map[string]string }
			require.NoError(t, json.Unmarshal(body, &p))
			for name, value := range p.Metadata {
				assert.LessOrEqual(t, alert.Size(value), 4096, name)
			}
		},
		Rewrite: *rewrite,
	})
}
