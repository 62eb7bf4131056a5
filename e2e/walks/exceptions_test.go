package walks

import (
	"slices"
	"strings"

	"weir.dev/weir/e2e/pages"
)

// exception is what nobody types here.
type exception struct {
	// file is that of the page; empty for all. begins is how the commands begin; empty for all of the page.
	file, begins string
	// why, and where it is typed or tried instead, if anywhere.
	why string
}

// exceptions are all of them.
func exceptions() []exception {
	const (
		sandbox = "it needs a kubelet; typed in the stories pages and quick-start of e2e/stories"
		demo    = "it raises a cluster of its own; typed by the test of e2e/demo"
		engine  = "it needs a container engine, and there is none where Weir is built"
		makers  = "it is for those who work on Weir, in the checkout"
	)
	return []exception{
		{file: "docs/cli.md", begins: "sudo ", why: "it changes the machine"},
		{file: "docs/cli.md", begins: "kubectl port-forward ", why: "it needs a kubelet, and a Prometheus in the cluster"},
		{file: "docs/dashboard.md", why: sandbox},
		{file: "docs/loadtester.md", why: sandbox},
		{file: "docs/observability.md", why: sandbox},
		{begins: "make -C weir demo", why: demo},
		{begins: "go -C weir run ./e2e/demo", why: demo},
		{begins: "kind ", why: engine},
		{begins: "docker ", why: engine},
		{file: "docs/quickstart.md", why: sandbox},
		{begins: "kubectl -n weir-system logs ", why: sandbox},
		{begins: "kubectl logs ", why: sandbox},
		{file: "docs/analysis.md", begins: "go test ", why: makers},
		{file: "docs/benchmarks.md", begins: "go ", why: makers + ", and takes a quarter of an hour"},
		{file: "docs/benchmarks/scale.md", begins: "go run ", why: makers + ", and takes hours"},
		{file: "README.md", begins: "make -C weir image", why: "it takes minutes; typed in the story quick-start of e2e/stories"},
		{begins: "istioctl ", why: "it asks a mesh, which is not here"},
		{begins: "glooctl ", why: "it asks Gloo, which is not here"},
		{begins: "curl ", why: "it asks a proxy, which is not here; requests are sent by e2e/routes and e2e/stories"},
	}
}

// exceptionOf is the place of the exception that a step is; -1 for none.
func exceptionOf(step pages.Step) int {
	return slices.IndexFunc(exceptions(), func(e exception) bool {
		return step.Command != "" && (e.file == "" || e.file == step.Page) && strings.HasPrefix(step.Command, e.begins)
	})
}
