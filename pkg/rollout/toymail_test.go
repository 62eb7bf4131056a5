package rollout

import (
	"slices"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// toyMail tells receivers what stands in the status, as soon as it is committed. What it has told it remembers until the
// operator dies.
type toyMail struct {
	receivers []Receiver
	// deaf are receivers that cannot be reached.
	deaf map[string]bool
	// told are deliveries that the status does not know of yet.
	told []Delivery
	// heard is what each receiver was told, with the number of the operator's life in which that last was.
	heard map[Delivery]int
	life  int
	// dropped says that there was no room for an alert.
	dropped bool
}

func newToyMail() toyMail { return toyMail{deaf: map[string]bool{}, heard: map[Delivery]int{}} }

func (m *toyMail) die() {
	m.told = nil
	m.life++
}

// deliver tells what can be told, and says what it told; a second time in one life is a fault.
func (m *toyMail) deliver(st *v1beta1.CanaryStatus) (told []string, twice *Delivery) {
	var known []Delivery
	for _, a := range st.Alerts {
		m.dropped = m.dropped || a.Dropped > 0
		for _, to := range a.To {
			d := Delivery{a.ID, to}
			switch {
			case slices.Contains(m.told, d):
				known = append(known, d)
			case !m.deaf[to]:
				if life, again := m.heard[d]; again && life == m.life {
					twice = &d
				}
				m.heard[d] = m.life
				known = append(known, d)
				told = append(told, "tell "+to+" "+string(a.Severity)+": "+a.Reason)
			}
		}
	}
	m.told = known
	return told, twice
}

// tell is what the mail does in a look.
func (w *toy) tell() {
	if w.died {
		return
	}
	told, twice := w.mail.deliver(&w.canary.Status)
	if twice != nil {
		w.complain("%s was told %s twice", twice.To, twice.ID)
	}
	if w.told {
		w.log = append(w.log, told...)
	}
}

// allTold wants everybody to have heard how the runs of the history ended.
func (k *walker) allTold() {
	if k.mail.dropped {
		return
	}
	history := k.canary.Status.History
	for i, rec := range history {
		if len(history) == historyLimit && !slices.ContainsFunc(history[i+1:], promotedRun) {
			return // what a promotion ended is not known any more
		}
		n := ended("app", history[i:])
		for _, r := range k.mail.receivers {
			_, heard := k.mail.heard[Delivery{n.ID, r.To}]
			if heard != r.hears(n) {
				k.fail("%s was told of run %s: %t", r.To, rec.ID, heard)
			}
		}
	}
}

func promotedRun(rec v1beta1.RunRecord) bool { return rec.Outcome == v1beta1.OutcomePromoted }
