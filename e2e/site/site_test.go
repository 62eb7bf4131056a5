// Package site_test builds the site of the documentation, and looks at it as a browser would without a network.
package site_test

import (
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"weir.dev/weir/e2e/sandbox"
)

// page is a page of the site: what it leads to, what it loads, and what can be led to in it.
type page struct {
	links, loads []string
	ids          map[string]bool
}

// TestSite: every page of docs is there, every link within the site leads somewhere, no page loads anything from outside
// of it, and no code is in it, which the go tool would find in bin.
func TestSite(t *testing.T) {
	const tree = "../../"
	findHugo(t)
	build := exec.CommandContext(t.Context(), "make", "--no-print-directory", "site")
	build.Dir = tree
	said, err := build.CombinedOutput()
	require.NoError(t, err, string(said))
	built := tree + "bin/site"
	pages := map[string]page{}
	require.NoError(t, filepath.WalkDir(built, func(file string, _ fs.DirEntry, err error) error {
		assert.NotEqual(t, ".go", filepath.Ext(file), file)
		if filepath.Ext(file) == ".html" {
			pages[file] = read(t, file)
		}
		return err
	}))
	require.NoError(t, filepath.WalkDir(tree+"docs", func(file string, _ fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(file, tree), ".md"); ok {
			assert.Contains(t, pages, filepath.Join(built, name+".html"))
		}
		return err
	}))
	links := 0
	for file, p := range pages {
		for _, load := range p.loads {
			to, err := url.Parse(load)
			require.NoError(t, err, "%s: %s", file, load)
			assert.Empty(t, to.Host, "%s loads %s", file, load)
			_, err = os.Stat(filepath.Join(filepath.Dir(file), to.Path))
			assert.NoError(t, err, "%s: %s", file, load)
		}
		for _, link := range p.links {
			to, err := url.Parse(link)
			require.NoError(t, err, "%s: %s", file, link)
			if to.Host != "" {
				continue
			}
			links++
			target := file
			if to.Path != "" {
				target = filepath.Join(filepath.Dir(file), to.Path)
			}
			_, err = os.Stat(target)
			assert.NoError(t, err, "%s: %s", file, link)
			if to.Fragment != "" {
				assert.True(t, pages[target].ids[to.Fragment], "%s: %s: there is no such heading", file, link)
			}
		}
	}
	assert.Greater(t, links, 1000)
}

// findHugo installs it where it is missing in CI; else the test is skipped without.
func findHugo(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("hugo"); err == nil {
		return
	}
	if os.Getenv("CI") == "" {
		t.Skip("there is no Hugo to make the site with; on Debian it is the package hugo")
	}
	require.NoError(t, sandbox.InstallDebian(t.Context(), "hugo"))
}

func read(t *testing.T, file string) page {
	t.Helper()
	open, err := os.Open(file)
	require.NoError(t, err)
	defer open.Close()
	root, err := html.Parse(open)
	require.NoError(t, err)
	p := page{ids: map[string]bool{}}
	for node := range root.Descendants() {
		for _, a := range node.Attr {
			switch {
			case a.Key == "id":
				p.ids[a.Val] = true
			case node.Data == "a" && a.Key == "href":
				p.links = append(p.links, a.Val)
			case a.Key == "src", a.Key == "srcset", a.Key == "href":
				p.loads = append(p.loads, a.Val)
			}
		}
	}
	return p
}
