package seen

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/builtin"
)

var _ = flag.Bool("rewrite", false, "write the table anew")

const page = "../../docs/routers.md"

// TestTable holds the table of features to what the routers claim, and to what was seen of them. Rewrite it with
// `go test ./e2e/seen -rewrite`.
func TestTable(t *testing.T) {
	records, err := readRecords("testdata")
	require.NoError(t, err)
	routers := builtin.Routers(builtin.Options{})
	for name, r := range records {
		known, ok := builtin.ByProvider(name)
		require.True(t, ok, "%s is no router; remove its files", name)
		for f := range r.features {
			require.True(t, known.Features().Has(f), "router %s does not claim %s any more, which was seen; look again", name, f)
		}
	}
	before, err := os.ReadFile(page)
	require.NoError(t, err)
	now, err := within(string(before), table(routers, records))
	require.NoError(t, err)
	if Rewriting() {
		require.NoError(t, os.WriteFile(page, []byte(now), 0o644))
		return
	}
	require.Equal(t, string(before), now, "the table of features is out of date; run go test ./e2e/seen -rewrite")
}

type claims struct {
	router.Router
	name     string
	features router.Features
}

func (c claims) Name() string { return c.name }

func (c claims) Features() router.Features { return c.features }

func TestHowItIsKnown(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/a.TestA.txt", []byte("Proxy 1\nweights\n"), 0o600))
	require.NoError(t, os.WriteFile(dir+"/a.TestB.txt", []byte("Proxy 2\nhosts\n"), 0o600))
	records, err := readRecords(dir)
	require.NoError(t, err)
	got := table([]router.Router{
		claims{name: "a", features: router.Features{router.Weighted: true, router.Hosts: true, router.Mirrors: true}},
		claims{name: "b", features: router.Features{router.Weighted: true, router.CORS: false}},
	}, records)
	require.Equal(t, `| | [a](routers/a.md) | [b](routers/b.md) |
|---|---|---|
| hosts | **real** | – |
| mirroring | schema | – |
| weights | **real** | schema |

**real** was seen with

- a: Proxy 1; Proxy 2
`, got)
	_, err = within("no place", got)
	require.Error(t, err)
}
