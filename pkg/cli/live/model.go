// Package live is what `kubectl weir watch` keeps on a terminal: one Canary with all that is known of its run, or a list
// of all. The Model is pure: what is seen, a key and the time come in as messages, and a screen comes out. It reads
// nothing and writes nothing itself; its Hands do, which are somebody else's. What people and programs have written is
// shown as words, whatever is in it. Without colour it can be read as well.
package live

import (
	"time"

	tea "charm.land/bubbletea/v2"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/course"
)

// Hands do what the view cannot do itself. Open and List do not wait; Order does.
type Hands interface {
	// Open follows a Canary, and no other one any more. What is seen of it comes as a Release.
	Open(key types.NamespacedName)
	// List follows all Canaries; what is seen comes as a List.
	List()
	// Order gives a command, and tells in a sentence what came of it.
	Order(canary *v1beta1.Canary, command v1beta1.Command) (result string, err error)
}

// Release is a Canary as it is now, with what runs and what was told of it. It is not changed after it was sent.
type Release struct {
	Key types.NamespacedName
	// Canary is nil where it is gone.
	Canary *v1beta1.Canary
	// Share is what gets to the canary, in percent, and Gets in words.
	Share int32
	Gets  string
	// Tested and Serving are the pods of both revisions, in words, empty where there is no such revision.
	Tested, Serving string
	// Events, the newest first.
	Events []Event
	// Unread is what of this could not be read, and why; empty where all could.
	Unread string
}

// Event is what was told of a Canary.
type Event struct {
	At      time.Time
	Warning bool
	Reason  string
	Note    string
}

// List is all Canaries, in the order in which they are shown.
type List struct {
	Canaries []*v1beta1.Canary
	// Where they are, as in "all namespaces".
	Where string
}

// Tick is the time.
type Tick time.Time

// Trouble is why what is shown may be old.
type Trouble string

// Width and Height are those of a terminal that does not tell its size.
const (
	Width  = 80
	Height = 24
)

// lastingTrouble is how long trouble is told that was not told again. A watch is tried again more often than that.
const lastingTrouble = 90 * time.Second

// answered is what came of a command.
type answered struct {
	text   string
	failed bool
}

// Model is the whole view. It is a value: Update gives another one.
type Model struct {
	hands         Hands
	clock         func() time.Time
	now           time.Time
	width, height int
	styles        styles

	// open is the Canary that is shown, release what was last seen of it, and course how its run went since.
	open    types.NamespacedName
	release *Release
	course  *course.Course

	list   list
	listed bool // the list is followed
	onList bool
	help   bool
	prompt *prompt
	// said is what the bottom line tells: of a command or of a key.
	said      answered
	trouble   Trouble
	troubleAt time.Time
}

// New is a view of one Canary, or, without a name, of the list. The clock is read for ticks alone.
func New(hands Hands, clock func() time.Time, open types.NamespacedName) Model {
	return Model{
		hands: hands, clock: clock, now: clock(), width: Width, height: Height, styles: newStyles(),
		open: open, onList: open.Name == "", course: &course.Course{},
	}
}

// Init begins to follow what is shown first.
func (m Model) Init() tea.Cmd {
	follow := func() tea.Msg {
		if m.onList {
			m.hands.List()
		} else {
			m.hands.Open(m.open)
		}
		return nil
	}
	return tea.Batch(follow, m.tick())
}

// tick asks for the time a second from now: nothing is read then, but times that are told grow.
func (m Model) tick() tea.Cmd {
	return tea.Tick(time.Second, func(time.Time) tea.Msg { return Tick(m.clock()) })
}

// Update is the view after a message.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case Tick:
		m.now = time.Time(msg)
		if m.now.Sub(m.troubleAt) > lastingTrouble {
			m.trouble = ""
		}
		return m, m.tick()
	case Release:
		return m.sees(msg), nil
	case List:
		m.list, m.trouble = m.list.with(msg), ""
	case Trouble:
		m.trouble, m.troubleAt = msg, m.now
	case answered:
		m.said = msg
	case tea.PasteMsg:
		return m.types(msg.Content), nil
	case tea.KeyPressMsg:
		return m.presses(msg)
	}
	return m, nil
}

// sees takes in what is seen of the Canary that is open.
func (m Model) sees(r Release) Model {
	if r.Key != m.open {
		return m // it was on its way when another one was opened
	}
	m.release, m.trouble = &r, ""
	if r.Canary == nil {
		m.prompt = nil
		return m
	}
	m.course = m.course.Clone()
	m.course.See(r.Canary, m.now)
	if m.prompt != nil && m.prompt.run != runOf(r.Canary) {
		m.prompt = nil
		m.said = answered{"another run is on now; nothing was ordered", true}
	}
	return m
}

func runOf(c *v1beta1.Canary) string {
	if c.Status.Run == nil {
		return ""
	}
	return c.Status.Run.ID
}

// View draws it.
func (m Model) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen, v.WindowTitle = true, "kubectl weir watch"
	if !m.onList {
		v.WindowTitle += " " + m.open.Name
	}
	return v
}
