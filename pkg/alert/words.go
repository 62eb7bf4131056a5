package alert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// What every channel says of a message is written here. A channel only arranges it.

const (
	// mostLines is how many messages of a digest are told one by one, and longestLine how much of each.
	mostLines, longestLine = 20, 300
	// mostImages is how many images are told.
	mostImages = 5
)

// Fact is one line of what is known.
type Fact struct {
	Name, Value string
}

// Title says what it is about, as in "shop/podinfo: rolled back".
func (m Message) Title() string {
	about := m.about()
	if len(m.Digest) > 0 {
		about = fmt.Sprintf("%d messages", len(m.Digest))
		if m.Cluster != "" {
			about += " of " + m.Cluster
		}
		return about
	}
	return strings.TrimSuffix(about+": "+inWords(m.Reason), ": ")
}

// Summary is all in one line, for where there is just one: with the cluster, and with the sentence.
func (m Message) Summary() string {
	paragraphs := m.Paragraphs()
	if len(m.Digest) > 0 && m.Body == "" {
		return m.Title() + ": " + paragraphs[0]
	}
	line := m.about() + ": " + strings.Join(strings.Fields(paragraphs[0]), " ")
	if m.Cluster != "" {
		line = m.Cluster + ": " + line
	}
	return line
}

// about is the Canary, or else Weir itself.
func (m Message) about() string {
	if m.Name == "" {
		return "Weir"
	}
	return strings.TrimPrefix(m.Namespace+"/"+m.Name, "/")
}

// Paragraphs are the sentences, at least one.
func (m Message) Paragraphs() []string {
	switch {
	case m.Body != "":
		return []string{m.Body}
	case len(m.Digest) > 0:
		return m.digest()
	}
	all := []string{cmp.Or(m.Text, inWords(m.Reason))}
	if c := m.Check; c != nil && c.Message != "" && !strings.Contains(m.Text, c.Message) {
		all = append(all, strings.TrimPrefix(c.Name+": "+strings.TrimPrefix(c.Message, c.Name+": "), ": "))
	}
	return all
}

// digest counts the messages by their reasons, and then tells them one by one.
func (m Message) digest() []string {
	counts := map[string]int{}
	for _, one := range m.Digest {
		counts[inWords(one.Reason)]++
	}
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	var parts []string
	for _, reason := range reasons {
		parts = append(parts, fmt.Sprintf("%d %s", counts[reason], cmp.Or(reason, "others")))
	}
	all := []string{strings.Join(parts, ", ")}
	if m.Text != "" {
		all[0] = m.Text + ": " + all[0]
	}
	for i, one := range m.Digest {
		if i == mostLines {
			return append(all, fmt.Sprintf("… and %d more", len(m.Digest)-i))
		}
		all = append(all, Cut("• "+one.about()+": "+strings.Join(one.Paragraphs(), " "), longestLine, nil))
	}
	return all
}

// Facts are what is known, in the order in which every channel tells it, and nine at most.
func (m Message) Facts() []Fact {
	all := []Fact{
		{"Canary", m.Name}, {"Namespace", m.Namespace}, {"Cluster", m.Cluster}, {"Target", m.Target},
		{"Revision", m.Revision}, {"Images", listed(m.Images)}, {"Weight", m.weight()}, {"Step", m.Step},
		{"Check", m.Check.inWords()},
	}
	return slices.DeleteFunc(all, func(f Fact) bool { return f.Value == "" })
}

func (m Message) weight() string {
	switch {
	case m.MaxWeight > m.Weight && m.Weight > 0:
		return fmt.Sprintf("%d %%, %d %% reached", m.Weight, m.MaxWeight)
	case m.MaxWeight > m.Weight:
		return fmt.Sprintf("%d %% reached", m.MaxWeight)
	case m.Weight > 0:
		return fmt.Sprintf("%d %%", m.Weight)
	}
	return ""
}

func (c *Check) inWords() string {
	if c == nil {
		return ""
	}
	words := c.Name
	if c.Value != "" {
		words += ": " + c.Value
	}
	if c.Baseline != "" {
		words += ", the primary " + c.Baseline
	}
	return words
}

func listed(images []string) string {
	if len(images) > mostImages {
		return fmt.Sprintf("%s and %d more", strings.Join(images[:mostImages], ", "), len(images)-mostImages)
	}
	return strings.Join(images, ", ")
}

// inWords takes a word of CamelCase apart.
func inWords(reason string) string {
	var b strings.Builder
	for i, r := range reason {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// Color of the severity, as in #cf222e.
func (m Message) Color() string {
	switch m.Severity {
	case v1beta1.SeverityError:
		return "#cf222e"
	case v1beta1.SeverityWarn:
		return "#bf8700"
	}
	return "#2da44e"
}

// Mark is a sign of the severity, for where there is no color.
func (m Message) Mark() string {
	switch m.Severity {
	case v1beta1.SeverityError:
		return "🔴"
	case v1beta1.SeverityWarn:
		return "🟡"
	}
	return "🟢"
}

// Pages are the links that lead to a page, so many at most.
func (m Message) Pages(most int) []Link {
	var all []Link
	for _, l := range m.Links {
		if address, err := webPage(l.URL); err == nil && len(all) < most {
			all = append(all, Link{cmp.Or(l.Title, address), address})
		}
	}
	return all
}
