package walks

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/pages"
)

// TestComplete: a command of the docs is on a page that is walked, or is an exception; and an exception is one of some command.
func TestComplete(t *testing.T) {
	docs, err := pages.All("../..")
	require.NoError(t, err)
	used := make([]int, len(exceptions()))
	commands := 0
	for _, page := range docs {
		walked := slices.ContainsFunc(slices.Concat(all(), guests()), func(w walked) bool { return w.file == page.File })
		for _, step := range page.Steps() {
			if step.Command != "" {
				commands++
			}
			if i := exceptionOf(step); i >= 0 {
				used[i]++
			} else if step.Command != "" {
				assert.True(t, walked, "nobody types %s", step)
			}
		}
	}
	for i, e := range exceptions() {
		assert.Positive(t, used[i], "no command of %s begins with %q", e.file, e.begins)
		assert.NotEmpty(t, e.why)
	}
	assert.Greater(t, commands, 200)
}

// wholly wants all of the page to have been typed.
func (w *walk) wholly() {
	w.t.Helper()
	for _, step := range w.page.Steps() {
		if step.Command != "" && exceptionOf(step) < 0 {
			assert.Contains(w.t, w.typed, step, "it was not typed")
		}
	}
	for heading := range w.arrive {
		assert.True(w.t, slices.ContainsFunc(w.page.Steps(), func(s pages.Step) bool { return s.Heading == heading }),
			"no command stands under %q", heading)
	}
	for _, beginnings := range []iter.Seq[string]{
		maps.Keys(w.before), maps.Keys(w.after), maps.Keys(w.fails), maps.Keys(w.endless),
	} {
		for beginning := range beginnings {
			assert.True(w.t, slices.ContainsFunc(w.page.Steps(), func(s pages.Step) bool {
				return strings.HasPrefix(s.Command, beginning)
			}), "no command begins with %q", beginning)
		}
	}
}
