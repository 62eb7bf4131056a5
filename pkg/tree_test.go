package pkg_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// placeRules are the places that no file may name, each with the end of the sentence that says so.
func placeRules() map[*regexp.Regexp]string {
	return map[*regexp.Regexp]string{
		regexp.MustCompile(`(^|[^\w./-])/(root|home|Users)/[\w.-]`): "is a path of one machine: " +
			"say it relative to the tree, or to the user's cache or home",
		regexp.MustCompile(`\b(proxy\.golang\.org|sum\.golang\.org|registry\.npmjs\.org|deb\.debian\.org|` +
			`pypi\.org|docker\.io|ghcr\.io|gcr\.io|quay\.io|registry\.k8s\.io)\b`): "is a registry: " +
			"what to fetch from where is for whoever builds or installs to say",
	}
}

// placing says which places a file names that mean something on one machine or to one company only.
func placing(rules map[*regexp.Regexp]string, name string, content []byte) []string {
	var wrong []string
	for i, line := range strings.Split(string(content), "\n") {
		for place, why := range rules {
			if found := place.FindString(line); found != "" {
				wrong = append(wrong, fmt.Sprintf("%s:%d: %q %s", name, i+1, strings.TrimSpace(found), why))
			}
		}
	}
	return wrong
}

// tracked are the files that git knows and that are there.
func tracked(t *testing.T) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z")
	list.Dir = root
	out, err := list.Output()
	require.NoError(t, err, "listing the files of the tree")
	var names []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		if info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	return names
}

func TestNoFileNamesAPlace(t *testing.T) {
	rules := placeRules()
	for _, name := range tracked(t) {
		content, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		if bytes.IndexByte(content, 0) >= 0 {
			continue // a picture has no words
		}
		for _, wrong := range placing(rules, name, content) {
			t.Error(wrong)
		}
	}
}

func TestPlaceRulesBite(t *testing.T) {
	for _, c := range []struct {
		before, after string // apart, so that this file does not name the place itself
		refused       bool
	}{
		{"cd /ro", "ot/weir", true},
		{`"/ho`, `me/ann/go"`, true},
		{"/Us", "ers/ann", true},
		{"https://example.org/ho", "me/page", false},
		{"docs/ho", "me/page", false},
		{"~/.cache", "/weir", false},
		{"image: gh", "cr.io/weir/weir", true},
		{"GOPROXY=https://proxy.gol", "ang.org", true},
		{"audio.i", "o", false},
		{"registry.exa", "mple/weir", false},
	} {
		wrong := placing(placeRules(), "file", []byte(c.before+c.after))
		require.Equal(t, c.refused, len(wrong) == 1, "%s%s: %v", c.before, c.after, wrong)
	}
}
