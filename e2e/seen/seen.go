// Package seen keeps what tests saw of a router's features in traffic through whoever really serves its objects, one
// file for each router and test. The table of features in docs/routers.md is made of that and of what each router
// claims. A test that no longer sees what its file says, or sees more, fails; with -rewrite it writes the file anew.
package seen

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/router"
)

// folder of the files, in the tree.
const folder = "e2e/seen/testdata"

// Rewriting says that files are written anew instead of being compared: by the flag -rewrite, where a test has it.
func Rewriting() bool {
	rewrite := flag.Lookup("rewrite")
	return rewrite != nil && rewrite.Value.String() == "true"
}

// Witness is a test that looks at one router's features.
type Witness struct {
	t      *testing.T
	router router.Router
	file   string
	// looks are how many parts there are, looked how many of them ran.
	looks, looked int
	features      map[router.Feature]bool
}

// By makes a test the witness of a router. The consumer is who serves its objects, with a version, as in "Traefik
// 3.7.9". When the test ends well and all of its parts ran, what it saw is compared with its file.
func By(t *testing.T, r router.Router, consumer string) *Witness {
	t.Helper()
	tree, err := sandbox.Tree(t.Context())
	require.NoError(t, err)
	test := strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())
	w := &Witness{
		t: t, router: r, features: map[router.Feature]bool{},
		file: filepath.Join(tree, folder, fmt.Sprintf("%s.%s.txt", r.Name(), test)),
	}
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() || w.looked < w.looks {
			return
		}
		w.compare(consumer)
	})
	return w
}

// Sees runs a part of the test, which shows the features in traffic.
func (w *Witness) Sees(name string, look func(*testing.T), features ...router.Feature) {
	w.t.Helper()
	w.looks++
	w.t.Run(name, func(t *testing.T) {
		w.looked++
		look(t)
	})
	for _, f := range features {
		assert.True(w.t, w.router.Features().Has(f), "router %s does not claim %s", w.router.Name(), f)
		w.features[f] = true
	}
}

func (w *Witness) compare(consumer string) {
	lines := []string{consumer}
	for _, f := range slices.Sorted(maps.Keys(w.features)) {
		lines = append(lines, string(f))
	}
	now := strings.Join(lines, "\n") + "\n"
	if Rewriting() {
		require.NoError(w.t, os.WriteFile(w.file, []byte(now), 0o644))
		return
	}
	before, err := os.ReadFile(w.file)
	require.NoError(w.t, err, "nothing is written down of what this test sees; run it with -rewrite")
	assert.Equal(w.t, string(before), now, "what this test sees is not what is written down; run it with -rewrite, "+
		"and then go test ./e2e/seen -rewrite")
}
