package live

import (
	tea "charm.land/bubbletea/v2"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/course"
	"weir.dev/weir/pkg/words"
)

// binding is a key, the commands that it stands for, and what it is called.
type binding struct {
	key, name string
	orders    func(v1beta1.Command) bool
}

// bindings are the keys that order something, in the order in which they are told.
func bindings() []binding {
	verb := func(verb string) func(v1beta1.Command) bool {
		return func(c v1beta1.Command) bool { return c.Verb == verb }
	}
	return []binding{
		{"p", "promote", verb(v1beta1.VerbPromote)},
		{"g", "approve", verb(v1beta1.VerbApprove)},
		{"space", "pause", verb(v1beta1.VerbPause)},
		{"space", "resume", verb(v1beta1.VerbResume)},
		{"n", "skip", verb(v1beta1.VerbSkipStep)},
		{"a", "abort", verb(v1beta1.VerbAbort)},
		{"r", "retry", verb(v1beta1.VerbRetry)},
	}
}

// orders are the commands that a binding stands for where the run is now.
func (m Model) orders(b binding) []words.Order {
	if m.release == nil || m.release.Canary == nil {
		return nil
	}
	var fit []words.Order
	for _, o := range words.Orders(m.release.Canary) {
		if b.orders(o.Command) {
			fit = append(fit, o)
		}
	}
	return fit
}

// presses is the view after a key, and what it sets going.
func (m Model) presses(key tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	switch k := key.String(); {
	case k == "ctrl+c":
		return m, tea.Quit
	case m.prompt != nil:
		return m.prompted(key)
	case m.onList && m.list.typing:
		m.list = m.list.filtered(key)
		return m, nil
	case k == "q":
		return m, tea.Quit
	case m.help:
		m.help = false
		return m, nil
	case k == "?":
		m.help = true
		return m, nil
	case m.onList:
		return m.onListKey(k)
	case k == "tab" || k == "esc":
		m.onList, m.said = true, answered{}
		return m.follows()
	default:
		return m.ordering(k), nil
	}
}

// follows begins to follow the list where that was not done yet.
func (m Model) follows() (tea.Model, tea.Cmd) {
	if m.listed {
		return m, nil
	}
	m.listed = true
	hands := m.hands
	return m, func() tea.Msg { hands.List(); return nil }
}

func (m Model) onListKey(k string) (tea.Model, tea.Cmd) {
	switch k {
	case "tab":
		m.onList = m.open.Name == ""
	case "enter":
		c := m.list.chosen()
		if c == nil {
			return m, nil
		}
		return m.opens(types.NamespacedName{Namespace: c.Namespace, Name: c.Name})
	default:
		m.list = m.list.moved(k, m.listRows())
	}
	return m, nil
}

func (m Model) opens(key types.NamespacedName) (tea.Model, tea.Cmd) {
	m.onList, m.said = false, answered{}
	if key == m.open {
		return m, nil
	}
	m.open, m.release, m.course, m.listed = key, nil, &course.Course{}, true
	hands := m.hands
	return m, func() tea.Msg { hands.Open(key); return nil }
}

// ordering asks for the reason of what a key stands for. Nothing is ordered by one key alone.
func (m Model) ordering(k string) Model {
	known := ""
	for _, b := range bindings() {
		if b.key != k {
			continue
		}
		known = b.name
		if choices := m.orders(b); len(choices) > 0 {
			m.prompt = &prompt{choices: choices, run: runOf(m.release.Canary)}
			m.said = answered{}
			return m
		}
	}
	if known != "" {
		m.said = answered{known + " makes no sense as the run stands", true}
	}
	return m
}
