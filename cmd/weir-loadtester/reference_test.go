package main

import (
	"flag"
	"testing"

	"weir.dev/weir/e2e/reference"
)

var _ = flag.Bool("rewrite", false, "write the page of flags anew")

// TestReference holds docs/reference/flags-weir-loadtester.md to the flags.
func TestReference(t *testing.T) {
	const here = "./cmd/weir-loadtester"
	reference.Hold(t, "flags-weir-loadtester.md", reference.Flags("weir-loadtester", here, command().Flags()), here)
}
