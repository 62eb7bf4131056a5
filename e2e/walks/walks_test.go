package walks

import (
	"os"
	"testing"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// walked is a page and the walk through it.
type walked struct {
	file   string
	always bool
	walk   func(*walk)
}

func all() []walked {
	promoted := []v1beta1.Outcome{v1beta1.OutcomePromoted}
	both := []v1beta1.Outcome{v1beta1.OutcomeRolledBack, v1beta1.OutcomePromoted}
	return []walked{
		{"README.md", true, readme},
		{"docs/guide.md", false, guide},
		{"docs/tutorials/kubernetes.md", true, tutorial("prices", both, nil)},
		{"docs/tutorials/apisix.md", false, tutorial("invoices", promoted, apisix)},
		{"docs/tutorials/contour.md", false, tutorial("shipping", promoted, contour)},
		{"docs/tutorials/gatewayapi.md", false, tutorial("podinfo", both, gatewayapi)},
		{"docs/tutorials/gloo.md", false, tutorial("search", promoted, nil)},
		{"docs/tutorials/istio.md", false, tutorial("orders", promoted, istio)},
		{"docs/tutorials/knative.md", false, tutorial("thumbnails", promoted, nil)},
		{"docs/tutorials/kuma.md", false, tutorial("billing", promoted, nil)},
		{"docs/tutorials/linkerd.md", false, tutorial("stock", promoted, linkerd)},
		{"docs/tutorials/nginx.md", false, tutorial("catalogue", promoted, nil)},
		{"docs/tutorials/skipper.md", false, tutorial("reviews", promoted, nil)},
		{"docs/tutorials/smi.md", false, tutorial("payments", promoted, nil)},
		{"docs/tutorials/traefik.md", false, tutorial("tickets", promoted, traefik)},
	}
}

// TestWalks walks through the pages.
func TestWalks(t *testing.T) {
	g := raise(t)
	for _, one := range all() {
		t.Run(one.file, func(t *testing.T) {
			skipUnless(t, one.always)
			w := g.enter(t, one.file)
			one.walk(w)
			w.wholly()
		})
	}
}

// skipUnless skips a walk that is not walked always.
func skipUnless(t *testing.T, always bool) {
	t.Helper()
	if !always && os.Getenv("WEIR_E2E") != "1" {
		t.Skip("walked by make e2e (WEIR_E2E=1)")
	}
}
