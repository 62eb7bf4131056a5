package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// clock tells times to a person.
type clock time.Time

func (c *cli) clock() clock { return clock(c.Now()) }

// at is a time of day, with the date where it is another day.
func (k clock) at(t time.Time) string {
	now := time.Time(k)
	t = t.In(now.Location())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// near is a time and how far it is from now.
func (k clock) near(t time.Time) string {
	d := time.Time(k).Sub(t)
	if d < 0 {
		return fmt.Sprintf("%s (in %s)", k.at(t), span(-d))
	}
	return fmt.Sprintf("%s (%s ago)", k.at(t), span(d))
}

// span is a length of time that is short to read: its two largest units.
func span(d time.Duration) string {
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

// revision is a revision and the images by which a person knows it.
func revision(hash string, images []string) string {
	if len(images) == 0 {
		return hash
	}
	return fmt.Sprintf("%s (%s)", hash, strings.Join(images, ", "))
}

// runEnded is how a run ended, in a few words.
func runEnded(r *v1beta1.RunRecord) string {
	how := map[v1beta1.Outcome]string{
		v1beta1.OutcomePromoted: "promoted", v1beta1.OutcomeRolledBack: "rolled back",
		v1beta1.OutcomeAborted: "aborted", v1beta1.OutcomeSuperseded: "superseded",
	}[r.Outcome]
	if r.Outcome != v1beta1.OutcomePromoted {
		how += fmt.Sprintf(" at weight %d", r.MaxWeight)
	}
	return fmt.Sprintf("%s, %s: %s", how, r.Reason, r.Message)
}

// traffic is what gets to the canary.
func traffic(st *v1beta1.CanaryStatus) string {
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
	return and(parts)
}

func matches(m v1beta1.RequestMatch) string {
	parts := texts("header", m.Headers)
	parts = append(parts, texts("query parameter", m.QueryParams)...)
	for _, name := range sorted(m.SourceLabels) {
		parts = append(parts, fmt.Sprintf("source label %s=%s", name, m.SourceLabels[name]))
	}
	return and(parts)
}

func texts(what string, all map[string]v1beta1.StringMatch) []string {
	var parts []string
	for _, name := range sorted(all) {
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

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// and joins parts as a sentence does.
func and(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// or is a choice, as in "a, b or c".
func or(parts []string) string {
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " or " + parts[last]
}

// count is a number of things, as in "1 pod" and "2 pods".
func count(n int32, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// sentence ends what is one.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// message is what Weir says it waits for, and the reason in one word.
func message(c *v1beta1.Canary) (reason, text string) {
	for _, condition := range c.Status.Conditions {
		if condition.Type == v1beta1.ConditionReady {
			return condition.Reason, condition.Message
		}
	}
	return "", "Weir has not looked at it yet"
}

// refused is why the spec cannot be carried out, or nothing.
func refused(c *v1beta1.Canary) string {
	for _, condition := range c.Status.Conditions {
		if condition.Type == v1beta1.ConditionAccepted && condition.Status == "False" {
			return condition.Message
		}
	}
	return ""
}

// threshold is the number of failed rounds at which a run is rolled back.
func threshold(c *v1beta1.Canary) int32 { return max(c.Spec.Analysis.Threshold, 1) }
