package live

import (
	"fmt"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

// section is a table with a head. It is left out where it has no rows.
type section struct {
	head string
	rows []string
	// least is how many rows it keeps where there is too little room, most how many it takes where there is enough.
	least, most int
}

// arrange puts the sections below the fixed lines, each as long as it likes while there is room. Where there is too
// little, the last ones give way first: down to their least, then to one row, and then they go.
func arrange(fixed []string, sections []section, room int) []string {
	sections = slices.DeleteFunc(sections, func(s section) bool { return len(s.rows) == 0 })
	const around = 2 // the head, and the line above it
	rows := make([]int, len(sections))
	left := room - len(fixed)
	for i, s := range sections {
		rows[i] = min(len(s.rows), s.most)
		left -= around + rows[i]
	}
	for _, to := range []func(section) int{
		func(s section) int { return s.least },
		func(section) int { return 1 },
		func(section) int { return -around },
	} {
		for i := len(sections) - 1; i >= 0 && left < 0; i-- {
			less := min(max(rows[i]-to(sections[i]), 0), -left)
			if to(sections[i]) < 0 {
				less = rows[i] + around
			}
			rows[i], left = rows[i]-less, left+less
		}
	}
	lines := fixed
	for i, s := range sections {
		if rows[i] > 0 {
			lines = append(append(lines, "", s.head), s.rows[:rows[i]]...)
		}
	}
	return lines
}

// checks are the answers of the last round, each with its course in this run.
func (m Model) checks(width int) section {
	c := m.release.Canary
	st := &c.Status
	s := section{least: 6, most: 64}
	if st.Run == nil && st.Phase != v1beta1.PhaseFailed {
		return s
	}
	const verdict, value, gap = 8, 9, 2
	name, bound := len("CHECK"), len("BOUND")
	for _, check := range st.Checks {
		name, bound = max(name, len(check.Name)), max(bound, len(m.bound(check)))
	}
	name, bound = min(name, width/3), min(bound, width/4)
	rest := max(width-name-verdict-value-bound-4*gap, 0)
	line := func(cells ...string) string { return strings.Join(cells, strings.Repeat(" ", gap)) }
	s.head = m.styles.dim.Render(line(cell("CHECK", name), cell("VERDICT", verdict), cell("VALUE", value),
		cell("BOUND", bound), "COURSE"))
	for _, check := range st.Checks {
		style := m.styles.verdict(check.Verdict)
		drawn := m.styles.sparks(m.course.Check(check.Name), words.BoundOf(c, check), rest)
		s.rows = append(s.rows, line(cell(words.Line(check.Name), name), style.Render(cell(string(check.Verdict), verdict)),
			cell(words.Line(check.Value), value), cell(m.bound(check), bound), drawn))
		roomy := m.height > 30 //nolint:mnd // more than the usual terminal
		if check.Message != "" && (roomy || check.Verdict != v1beta1.VerdictPassed) {
			s.rows = append(s.rows, m.styles.dim.Render(fit("  "+words.Line(check.Message), width)))
		}
	}
	return s
}

// bound is what a check is held to, and of a comparison how far its evidence is.
func (m Model) bound(check v1beta1.CheckStatus) string {
	if e := check.Evidence; e != nil {
		return words.Line(fmt.Sprintf("evidence %s of %s", e.Value, e.Needed))
	}
	return words.Line(words.BoundOf(m.release.Canary, check).Text)
}

func (m Model) gates(width int) section {
	s := section{least: 3, most: 32}
	gates := words.GatesOfRun(m.release.Canary)
	const state, since, gap = 8, 7, "  "
	name, kind := len("GATE"), len("TYPE")
	for _, g := range gates {
		name, kind = max(name, len(g.Name)), max(kind, len(g.Type))
	}
	name, kind = min(name, width/4), min(kind, width/4)
	s.head = m.styles.dim.Render(strings.Join([]string{cell("GATE", name), cell("TYPE", kind), cell("STATE", state),
		cell("FOR", since), "MESSAGE"}, gap))
	for _, g := range gates {
		s.rows = append(s.rows, fit(strings.Join([]string{cell(words.Line(g.Name), name), cell(words.Line(g.Type), kind),
			m.styles.gate(g.State).Render(cell(string(g.State), state)), cell(m.age(g.Since.Time), since), words.Line(g.Message)}, gap),
			width))
	}
	return s
}

// history are the runs that are over, where none is on.
func (m Model) history(width int) section {
	st := &m.release.Canary.Status
	s := section{head: m.styles.dim.Render("RUNS"), least: 2, most: 10}
	if st.Run != nil {
		return s
	}
	for i := range st.History {
		r := &st.History[i]
		s.rows = append(s.rows, fit(fmt.Sprintf("%s  %s  %s  %s", cell(m.age(r.EndedAt.Time)+" ago", 12),
			cell(string(r.Outcome), 10), cell(words.Line(r.Revision), 12), words.Line(r.Reason+": "+r.Message)), width))
	}
	return s
}

func (m Model) events(width int) section {
	s := section{head: m.styles.dim.Render("EVENTS"), least: 1, most: len(m.release.Events)}
	clock := words.Clock(m.now)
	for _, e := range m.release.Events {
		reason := cell(words.Line(e.Reason), 18)
		if e.Warning {
			reason = m.styles.bad.Render(reason)
		}
		s.rows = append(s.rows, fit(clock.At(e.At)+"  "+reason+"  "+words.Line(e.Note), width))
	}
	return s
}
