// Package words says how a Canary stands in the words that people read, the same ones in a terminal and on a page: how
// far a run is, what it waits for, what comes next, what can be done. Pure: an object and a time in, words out. The words
// carry what users and other programs have written, as they have written it; whoever shows them sees to it that they
// stay words, by Line or by escaping.
package words

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// Clock tells times to a person.
type Clock time.Time

// At is a time of day, with the date where it is another day.
func (k Clock) At(t time.Time) string {
	now := time.Time(k)
	t = t.In(now.Location())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// Near is a time and how far it is from now.
func (k Clock) Near(t time.Time) string {
	d := time.Time(k).Sub(t)
	if d < 0 {
		return fmt.Sprintf("%s (in %s)", k.At(t), Span(-d))
	}
	return fmt.Sprintf("%s (%s ago)", k.At(t), Span(d))
}

// Span is a length of time that is short to read: its two largest units.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	d = max(0, d.Round(time.Second))
	units := []struct {
		name string
		unit time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	var parts []string
	for _, u := range units {
		if n := d / u.unit; n > 0 {
			parts = append(parts, fmt.Sprintf("%d%s", n, u.name))
			d -= n * u.unit
		} else if len(parts) > 0 {
			break
		}
	}
	if len(parts) == 0 {
		return "0s"
	}
	return strings.Join(parts[:min(len(parts), 2)], "")
}

// Revision is a revision and the images by which a person knows it.
func Revision(hash string, images []string) string {
	if len(images) == 0 {
		return hash
	}
	return fmt.Sprintf("%s (%s)", hash, strings.Join(images, ", "))
}

// RunEnded is how a run ended, in a few words.
func RunEnded(r *v1beta1.RunRecord) string {
	how := map[v1beta1.Outcome]string{
		v1beta1.OutcomePromoted: "promoted", v1beta1.OutcomeRolledBack: "rolled back",
		v1beta1.OutcomeAborted: "aborted", v1beta1.OutcomeSuperseded: "superseded",
	}[r.Outcome]
	if r.Outcome != v1beta1.OutcomePromoted {
		how += fmt.Sprintf(" at weight %d", r.MaxWeight)
	}
	return fmt.Sprintf("%s, %s: %s", how, r.Reason, r.Message)
}

// Traffic is what gets to the canary.
func Traffic(st *v1beta1.CanaryStatus) string {
	parts := []string{}
	if st.Weight > 0 {
		parts = append(parts, fmt.Sprintf("%d %% of the traffic", st.Weight))
	}
	for _, m := range st.Match {
		parts = append(parts, "the requests with "+matches(m))
	}
	if st.MirrorWeight > 0 {
		parts = append(parts, fmt.Sprintf("copies of %d %% of the requests", st.MirrorWeight))
	}
	if len(parts) == 0 {
		return "no traffic"
	}
	return And(parts)
}

func matches(m v1beta1.RequestMatch) string {
	parts := texts("header", m.Headers)
	parts = append(parts, texts("query parameter", m.QueryParams)...)
	for _, name := range slices.Sorted(maps.Keys(m.SourceLabels)) {
		parts = append(parts, fmt.Sprintf("source label %s=%s", name, m.SourceLabels[name]))
	}
	return And(parts)
}

func texts(what string, all map[string]v1beta1.StringMatch) []string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		switch {
		case m.Exact != "":
			parts = append(parts, fmt.Sprintf("%s %s %q", what, name, m.Exact))
		case m.Prefix != "":
			parts = append(parts, fmt.Sprintf("%s %s beginning with %q", what, name, m.Prefix))
		default:
			parts = append(parts, fmt.Sprintf("%s %s like %q", what, name, m.Regex))
		}
	}
	return parts
}

// And joins parts as a sentence does.
func And(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// Or is a choice, as in "a, b or c".
func Or(parts []string) string {
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " or " + parts[last]
}

// Count is a number of things, as in "1 pod" and "2 pods".
func Count(n int32, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Sentence ends what is one.
func Sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// Message is what Weir says it waits for, and the reason in one word.
func Message(c *v1beta1.Canary) (reason, text string) {
	for _, condition := range c.Status.Conditions {
		if condition.Type == v1beta1.ConditionReady {
			return condition.Reason, condition.Message
		}
	}
	return "", "Weir has not looked at it yet"
}

// Refused is why the spec cannot be carried out, or nothing.
func Refused(c *v1beta1.Canary) string {
	for _, condition := range c.Status.Conditions {
		if condition.Type == v1beta1.ConditionAccepted && condition.Status == "False" {
			return condition.Message
		}
	}
	return ""
}

// Threshold is the number of failed rounds at which a run is rolled back.
func Threshold(c *v1beta1.Canary) int32 { return max(c.Spec.Analysis.Threshold, 1) }

// TargetOf is the target with its kind, as in "StatefulSet podinfo".
func TargetOf(canary *v1beta1.Canary) string {
	return rollout.KindOf(canary) + " " + canary.Spec.TargetRef.Name
}

// Ahead says that a time is still to come.
func (k Clock) Ahead(t time.Time) bool { return t.After(time.Time(k)) }

// Line makes one line of a text that anybody may have written. What could move a cursor or colour a terminal is taken
// out.
func Line(text string) string {
	printable := func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}
	return strings.Map(printable, strings.Join(strings.Fields(text), " "))
}

// Typed is what of a text can be typed into a line: as Line has it, with its spaces as they are.
func Typed(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}
