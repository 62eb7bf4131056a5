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
		sandbox = "it needs a kubelet; told on the sandbox by e2e/stories"
		makers  = "it is for those who work on Weir, in the checkout"
	)
	return []exception{
		{file: "docs/cli.md", begins: "sudo ", why: "it changes the machine"},
		{file: "docs/cli.md", begins: "kubectl port-forward ", why: "it needs a kubelet"},
		{file: "docs/dashboard.md", why: sandbox},
		{file: "docs/loadtester.md", why: sandbox},
		{file: "docs/observability.md", why: sandbox},
		{file: "docs/quickstart.md", why: sandbox},
		{begins: "kubectl -n weir-system logs ", why: sandbox},
		{begins: "kubectl logs ", why: sandbox},
		{file: "docs/analysis.md", begins: "go test ", why: makers},
		{file: "docs/benchmarks.md", begins: "go ", why: makers + ", and takes a quarter of an hour"},
		{file: "docs/benchmarks/scale.md", begins: "go run ", why: makers + ", and takes hours"},
		{file: "README.md", begins: "make -C weir image", why: "it writes into the checkout; tried by e2e/sandbox/image"},
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
