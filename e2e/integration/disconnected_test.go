package integration

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// away is how long the API server is away.
const away = 30 * time.Second

// outages are API servers that are gone for a while in mid-run: at which point, and what comes of it.
func outages() []fault {
	var all []fault
	for _, o := range []struct {
		name  string
		story story
		at    func(*v1beta1.CanaryStatus) bool
	}{
		{"at a step", promotion(), func(st *v1beta1.CanaryStatus) bool { return st.Weight == 20 }},
		{"while promoting", promotion(), func(st *v1beta1.CanaryStatus) bool { return st.Phase == v1beta1.PhasePromoting }},
		{"before a rollback", rollback(), func(st *v1beta1.CanaryStatus) bool { return st.Weight == 20 }},
	} {
		all = append(all, fault{"API server away/" + o.name, func(t *testing.T, c *cluster) { c.disconnect(t, o.story, o.at) }})
	}
	return append(all, fault{"API server away/while the version turns bad", turnsBad})
}

// turnsBad: what was answered before the API server went is no evidence when it is back. It goes in the moment in which
// the first step is answered for, so that the answer is there and nobody can act on it.
func turnsBad(t *testing.T, c *cluster) {
	outage := newOutage()
	m := newMonitor(t, func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/bad"
		answer(w, r)
	})
	m.first = outage.begin
	a := c.application(t)
	op := c.operateBy(t, c.clients(t, outage.wire), a.namespace, nil)
	defer op.end()
	a.make(func(s *v1beta1.CanarySpec) { s.MetricsServer = m.server.URL })
	adopt(a)
	a.release("2")
	a.await("the first step", func() bool { return a.last().Weight == 20 && outage.isCut() })
	time.Sleep(away + 5*time.Second)
	outage.end()
	rollBack(a)
	checkRolledBackWell(a)
	a.toldEnd()
}

func (c *cluster) disconnect(t *testing.T, s story, at func(*v1beta1.CanaryStatus) bool) {
	t.Helper()
	a := c.application(t)
	outage := newOutage()
	op := c.operateBy(t, c.clients(t, outage.wire), a.namespace, nil)
	defer op.end()
	a.manage(s.metrics)
	s.prelude(a)
	a.release("2")
	a.await("the moment", func() bool { st := a.last(); return at(&st) })
	outage.begin()
	a.mu.Lock()
	before := a.last()
	a.mu.Unlock()
	time.Sleep(away)
	a.mu.Lock()
	assert.Equal(t, before, a.last(), "nothing is done without the API server")
	a.mu.Unlock()
	outage.end()
	back := time.Now()
	s.user(a)
	t.Logf("over %s after the API server is back", time.Since(back).Round(time.Second))
	s.check(a)
	a.toldEnd()
}

// watches are connections that break all the time, and ones that are slow.
func watches() []fault {
	var all []fault
	for n := range 2 {
		for _, s := range []story{promotion(), rollback()} {
			all = append(all, fault{fmt.Sprintf("watches cut/%s %d", s.name, n+1), func(t *testing.T, c *cluster) {
				u := newUnsteady(seedFor(t, n))
				u.severs = true
				c.unsettle(t, s, u)
				assert.Positive(t, u.resumed(), "no watch was cut")
			}}, fault{fmt.Sprintf("watches late/%s %d", s.name, n+1), func(t *testing.T, c *cluster) {
				u := newUnsteady(seedFor(t, n))
				u.delays = true
				c.unsettle(t, s, u)
			}})
		}
	}
	return all
}

func (c *cluster) unsettle(t *testing.T, s story, u *unsteady) {
	t.Helper()
	a := c.application(t)
	op := c.operateBy(t, c.clients(t, u.wire), a.namespace, nil)
	defer op.end()
	a.manage(s.metrics)
	s.prelude(a)
	s.user(a)
	s.check(a)
	a.toldEnd()
}
