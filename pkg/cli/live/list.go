package live

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

// list is the list of Canaries and what is chosen of it.
type list struct {
	all   []*v1beta1.Canary
	where string
	known bool
	// filter is what a row must have in it; typing says that it is being typed.
	filter string
	typing bool
	// at is the chosen one, of those that the filter leaves, by its key: rows come and go meanwhile.
	at string
}

func keyOf(c *v1beta1.Canary) string { return c.Namespace + "/" + c.Name }

func (l list) with(news List) list {
	l.all, l.where, l.known = news.Canaries, news.Where, true
	return l
}

// shown are the Canaries that the filter leaves.
func (l list) shown() []*v1beta1.Canary {
	var left []*v1beta1.Canary
	for _, c := range l.all {
		_, text := words.Message(c)
		row := strings.ToLower(strings.Join([]string{keyOf(c), string(c.Status.Phase), text}, " "))
		if strings.Contains(row, strings.ToLower(l.filter)) {
			left = append(left, c)
		}
	}
	return left
}

// index is the place of the chosen one, the first where it is gone.
func (l list) index(shown []*v1beta1.Canary) int {
	for i, c := range shown {
		if keyOf(c) == l.at {
			return i
		}
	}
	return 0
}

func (l list) chosen() *v1beta1.Canary {
	shown := l.shown()
	if len(shown) == 0 {
		return nil
	}
	return shown[l.index(shown)]
}

// moved is the list after a key, where a page has so many rows.
func (l list) moved(key string, page int) list {
	shown := l.shown()
	by := map[string]int{"up": -1, "k": -1, "down": 1, "j": 1, "pgup": -page, "pgdown": page,
		"home": -len(shown), "end": len(shown)}[key]
	switch {
	case key == "/":
		l.typing = true
	case key == "esc":
		l.filter = ""
	case by != 0 && len(shown) > 0:
		l.at = keyOf(shown[min(max(l.index(shown)+by, 0), len(shown)-1)])
	}
	return l
}

// filtered is the list after a key while the filter is typed.
func (l list) filtered(key tea.KeyPressMsg) list {
	switch key.String() {
	case "enter":
		l.typing = false
	case "esc":
		l.typing, l.filter = false, ""
	case "backspace":
		if all := []rune(l.filter); len(all) > 0 {
			l.filter = string(all[:len(all)-1])
		}
	case "up", "down":
		return l.moved(key.String(), 1)
	default:
		l.filter = bounded(l.filter + words.Typed(key.Text))
	}
	return l
}

// listRows is how many rows of the list fit on the screen.
func (m Model) listRows() int {
	const others = 7 // the title, the head, lines between, and the foot
	return max(m.height-others, 1)
}

func (m Model) listing(room int) []string {
	shown := m.list.shown()
	title := m.styles.strong.Render("Canaries") + " in " + m.list.where
	if m.list.filter != "" {
		title += fmt.Sprintf(", %d of %d with %q", len(shown), len(m.list.all), m.list.filter)
	}
	switch {
	case !m.list.known:
		return []string{m.styles.strong.Render("Canaries"), "", "Reading …"}
	case len(m.list.all) == 0:
		return []string{title, "", "There are none."}
	}
	width := m.width - 2 //nolint:mnd // a space at each side
	columns := m.columns(shown, width)
	lines := []string{title, "", m.styles.dim.Render(columns.line(heads()...))}
	at, rows := m.list.index(shown), min(m.listRows(), room-len(lines))
	from := min(max(at-rows/2, 0), max(len(shown)-rows, 0))
	for i := from; i < min(from+rows, len(shown)); i++ {
		line := columns.line(m.cells(shown[i])...)
		if i == at {
			line = m.styles.chosen.Render(cell("> "+line, width))
		} else {
			line = "  " + line
		}
		lines = append(lines, line)
	}
	lines[2] = "  " + lines[2]
	return lines
}

func heads() []string {
	return []string{"NAMESPACE", "NAME", "PHASE", "WEIGHT", "STEP", "AGE", "RUN", "WAITS FOR"}
}

// cells are what the list says of a Canary.
func (m Model) cells(c *v1beta1.Canary) []string {
	st := &c.Status
	step, run := "-", "-"
	if st.Step != nil && st.Run != nil {
		step = st.Step.Progress
	}
	if st.Run != nil {
		run = m.age(st.Run.StartedAt.Time)
	}
	_, text := words.Message(c)
	if why := words.Refused(c); why != "" {
		text = why
	}
	return []string{words.Line(c.Namespace), words.Line(c.Name), string(st.Phase), fmt.Sprintf("%d %%", st.Weight), step,
		m.age(c.CreationTimestamp.Time), run, words.Line(text)}
}

// columns are the widths of the cells; a column without one is left out.
type columns []int

// columns gives each column what its longest cell takes, the names at most a share of the line, and the last one the
// rest. On a narrow terminal, how long a run is on is left out.
func (m Model) columns(shown []*v1beta1.Canary, width int) columns {
	const share, wide, run, gap = 5, 100, 6, 2
	w := columns{}
	for _, head := range heads() {
		w = append(w, len(head))
	}
	last := len(w) - 1
	for _, c := range shown {
		for i, text := range m.cells(c)[:last] {
			w[i] = max(w[i], lipgloss.Width(text))
		}
	}
	w[0], w[1] = min(w[0], width/share), min(w[1], width/share)
	if width < wide {
		w[run] = 0
	}
	rest := width
	for _, n := range w[:last] {
		if n > 0 {
			rest -= n + gap
		}
	}
	w[last] = max(rest-gap, 0)
	return w
}

func (w columns) line(cells ...string) string {
	var fitted []string
	for i, text := range cells {
		if w[i] > 0 {
			fitted = append(fitted, cell(text, w[i]))
		}
	}
	return strings.TrimRight(strings.Join(fitted, "  "), " ")
}
