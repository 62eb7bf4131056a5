package seen

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir.dev/weir/pkg/router"
)

// The places in a page between which the table stands.
const (
	begin = "<!-- features: begin; written by go test ./e2e/seen -rewrite -->\n"
	end   = "<!-- features: end -->"
)

// How well a feature of a router is known.
const (
	real   = "**real**"
	schema = "schema"
	none   = "–"
)

// record is what is written down of one router.
type record struct {
	consumers []string
	features  map[router.Feature]bool
}

// readRecords reads the files of all routers.
func readRecords(dir string) (map[string]record, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, fmt.Errorf("finding what was seen: %w", err)
	}
	records := map[string]record{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading what was seen: %w", err)
		}
		name, _, _ := strings.Cut(filepath.Base(file), ".")
		r := records[name]
		if r.features == nil {
			r.features = map[router.Feature]bool{}
		}
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		if !slices.Contains(r.consumers, lines[0]) {
			r.consumers = append(r.consumers, lines[0])
		}
		for _, f := range lines[1:] {
			r.features[router.Feature(f)] = true
		}
		records[name] = r
	}
	return records, nil
}

// table has a row for each feature that any router claims, and a column for each router; below it, who was the
// consumer.
func table(routers []router.Router, records map[string]record) string {
	var out strings.Builder
	out.WriteString("| |")
	for _, r := range routers {
		fmt.Fprintf(&out, " [%s](routers/%[1]s.md) |", r.Name())
	}
	out.WriteString("\n|---|" + strings.Repeat("---|", len(routers)) + "\n")
	for _, f := range claimed(routers) {
		fmt.Fprintf(&out, "| %s |", f)
		for _, r := range routers {
			fmt.Fprintf(&out, " %s |", known(r, f, records[r.Name()]))
		}
		out.WriteString("\n")
	}
	out.WriteString("\n**real** was seen with\n\n")
	for _, r := range routers {
		if consumers := records[r.Name()].consumers; len(consumers) > 0 {
			fmt.Fprintf(&out, "- %s: %s\n", r.Name(), strings.Join(consumers, "; "))
		}
	}
	return out.String()
}

func claimed(routers []router.Router) []router.Feature {
	var all []router.Feature
	for _, r := range routers {
		for f, has := range r.Features() {
			if has && !slices.Contains(all, f) {
				all = append(all, f)
			}
		}
	}
	slices.Sort(all)
	return all
}

func known(r router.Router, f router.Feature, seen record) string {
	switch {
	case !r.Features().Has(f):
		return none
	case seen.features[f]:
		return real
	}
	return schema
}

// within puts the table into a page, in the place of the one that stands there.
func within(page, table string) (string, error) {
	before, rest, ok := strings.Cut(page, begin)
	if !ok {
		return "", fmt.Errorf("the page has no line %q", strings.TrimSpace(begin))
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return "", fmt.Errorf("the page has no line %q", end)
	}
	return before + begin + "\n" + table + "\n" + end + after, nil
}
