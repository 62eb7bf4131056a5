package live

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
)

// labelWidth is that of the words at the left, as in "Traffic".
const labelWidth = 9

// one is the Canary that is open, in at most so many lines.
func (m Model) one(room int) []string {
	switch {
	case m.release == nil:
		return []string{m.styles.strong.Render(m.open.Name) + " in " + m.open.Namespace, "", "Reading …"}
	case m.release.Canary == nil:
		return []string{m.styles.strong.Render(m.open.Name) + " in " + m.open.Namespace, "", "This Canary was deleted."}
	}
	width := m.width - 2 //nolint:mnd // a space at each side
	fixed := append(m.head(width), m.facts(width)...)
	tables := []section{m.checks(width), m.gates(width), m.history(width), m.events(width)}
	if len(words.ClosedGates(m.release.Canary)) > 0 { // they matter most then
		tables[0], tables[1] = tables[1], tables[0]
	}
	return arrange(fixed, tables, room)
}

// head says what it is, and how it stands in one sentence.
func (m Model) head(width int) []string {
	c, st := m.release.Canary, &m.release.Canary.Status
	phase := string(st.Phase)
	if phase == "" {
		phase = "not looked at yet"
	}
	title := m.styles.strong.Render(words.Line(c.Name)) + " in " + words.Line(c.Namespace) + ", " + words.Line(words.TargetOf(c))
	right := m.styles.phase(st.Phase).Render(phase)
	if st.Run != nil {
		right += ", on for " + words.Span(m.now.Sub(st.Run.StartedAt.Time))
	}
	reason, text := words.Message(c)
	if why := words.Refused(c); why != "" {
		text = why
	}
	style := lipgloss.NewStyle()
	switch {
	case st.Phase == v1beta1.PhaseFailed || words.Refused(c) != "":
		style = m.styles.bad
	case reason == "Paused" || len(words.ClosedGates(c)) > 0:
		style = m.styles.warn
	}
	lines := []string{ends(title, right, width)}
	most := 2
	if m.height > 30 { //nolint:mnd // there is room
		most = 4
	}
	for _, line := range wrapped(words.Line(text), width, most) {
		lines = append(lines, style.Render(line))
	}
	if news := words.Behind(c); news != "" {
		lines = append(lines, m.styles.warn.Render("Weir has not looked at "+news+" yet."))
	}
	return append(lines, "")
}

// facts are the lines with a label.
func (m Model) facts(width int) []string {
	st := &m.release.Canary.Status
	lines := []string{}
	add := func(label, text string) {
		if text != "" {
			lines = append(lines, m.styles.dim.Render(cell(label, labelWidth))+fit(text, width-labelWidth))
		}
	}
	if st.Run != nil {
		add("Traffic", m.bar(width-labelWidth))
		add("Steps", m.steps(width-labelWidth))
	}
	add("Canary", m.pods(st.Canary, m.release.Tested))
	add("Primary", m.pods(st.Primary, m.release.Serving))
	if st.Run != nil {
		add("Failed", m.failed())
		add("Next", m.next(width-labelWidth))
	}
	if len(st.History) > 0 && st.Run == nil {
		r := &st.History[0]
		add("Last run", words.Line("revision "+r.Revision+" "+words.RunEnded(r)))
	}
	if m.release.Unread != "" {
		add("", m.styles.warn.Render(words.Line(m.release.Unread)))
	}
	return lines
}

func (m Model) pods(r *v1beta1.RevisionStatus, pods string) string {
	if r == nil || m.release.Canary.Status.Run == nil && r != m.release.Canary.Status.Primary && pods == "" {
		return ""
	}
	return words.Line(pods + ", " + words.Revision(r.Hash, r.Images))
}

// bar is the split, the canary at the left.
func (m Model) bar(width int) string {
	const most, full = 60, 100
	share := min(max(int(m.release.Share), 0), full)
	left, right := fmt.Sprintf("canary %d %% ", share), fmt.Sprintf(" %d %% primary", full-share)
	st := &m.release.Canary.Status
	if st.MirrorWeight > 0 || len(st.Match) > 0 || m.release.Gets != "" && share == 0 {
		right += "  " + words.Line(m.release.Gets)
	}
	long := min(width-lipgloss.Width(left)-min(lipgloss.Width(right), width/2), most)
	if long < 1 {
		return left + right
	}
	n := (share*long + full/2) / full
	if share > 0 {
		n = max(n, 1)
	}
	if share < full {
		n = min(n, long-1)
	}
	return left + m.styles.canary.Render(strings.Repeat("█", n)) + m.styles.primary.Render(strings.Repeat("░", long-n)) + right
}

// steps is the plan with where the run stands. Where it is too wide, it is shown around that place.
func (m Model) steps(width int) string {
	c := m.release.Canary
	steps := rollout.Steps(&c.Spec)
	at := words.StepAt(c)
	names := make([]string, 0, len(steps)+1)
	for _, s := range steps {
		names = append(names, words.Line(s.String()))
	}
	names = append(names, "promotion")
	from := 0
	for ; from < at && lipgloss.Width(strings.Join(names[from:min(at+2, len(names))], "    ")) > width-6; from++ {
	}
	line := ""
	if from > 0 {
		line = "… "
	}
	for i := from; i < len(names); i++ {
		switch {
		case i < at:
			line += m.styles.good.Render("✓ " + names[i])
		case i == at:
			line += m.styles.strong.Render("▶ " + names[i])
		default:
			line += m.styles.dim.Render("· " + names[i])
		}
		line += "  "
	}
	return line
}

func (m Model) failed() string {
	c := m.release.Canary
	n, most := c.Status.FailedChecks, words.Threshold(c)
	text := fmt.Sprintf("%d of %s of checks", n, words.Count(most, "round"))
	if n > 0 {
		return m.styles.bad.Render(text)
	}
	return text
}

// next is what happens by itself, with the time until then.
func (m Model) next(width int) string {
	var parts []string
	for _, moment := range words.Moments(m.release.Canary, m.now) {
		part := fmt.Sprintf("in %s %s", words.Span(moment.At.Sub(m.now)), words.Line(moment.What))
		if len(parts) > 0 && lipgloss.Width(strings.Join(append(parts, part), "; ")) > width {
			break
		}
		parts = append(parts, part)
	}
	if at, ok := words.NextRound(m.release.Canary); len(parts) == 0 && ok && !at.After(m.now) {
		return "a round of checks is due since " + words.Span(m.now.Sub(at))
	}
	return strings.Join(parts, "; ")
}

// age is how long ago something was.
func (m Model) age(t time.Time) string { return words.Span(m.now.Sub(t)) }
