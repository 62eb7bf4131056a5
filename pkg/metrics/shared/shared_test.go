package shared_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/shared"
)

const patience = 15 * time.Second

// meter keeps what it is told.
type meter struct {
	mu            sync.Mutex
	shared        map[string]int
	running, most int
	errs          []error
}

func (m *meter) Shared(result string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shared[result]++
}

func (m *meter) Began(string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running++
	m.most = max(m.most, m.running)
}

func (m *meter) Ended(_ string, _ time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running--
	m.errs = append(m.errs, err)
}

// server answers after a while with the number of the question, or with an error.
type server struct {
	mu    sync.Mutex
	takes time.Duration
	err   error
	asked []metrics.Query
}

func (s *server) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	s.mu.Lock()
	s.asked = append(s.asked, q)
	n, err := len(s.asked), s.err
	s.mu.Unlock()
	select {
	case <-time.After(s.takes):
		return []metrics.Sample{{Value: float64(n)}}, err
	case <-ctx.Done():
		return nil, metrics.Transportf("it did not answer in time")
	}
}

func (s *server) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *server) source(id string) shared.Source {
	return shared.Source{Provider: s, Type: "fake", ID: id, Server: fmt.Sprintf("%p", s)}
}

func up() metrics.Query { return metrics.Query{Expr: "up", Window: time.Minute} }

// desk runs a test in a bubble where time is free.
func desk(t *testing.T, limit int, test func(*testing.T, *shared.Desk, *meter)) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{shared: map[string]int{}}
		test(t, shared.New(limit, patience, time.Now, m), m)
	})
}

// TestAThousandAskOnce: they come one after the other and all at once, and the server is asked once a slot.
func TestAThousandAskOnce(t *testing.T) {
	desk(t, 2, func(t *testing.T, d *shared.Desk, m *meter) {
		s := &server{takes: 100 * time.Millisecond}
		slot := shared.Slot(time.Minute)
		time.Sleep(time.Until(time.Now().Truncate(slot).Add(slot))) // a slot begins
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				answer, err := d.Share(t.Context(), s.source("a"), up(), slot)
				assert.NoError(t, err)
				assert.Equal(t, []metrics.Sample{{Value: 1}}, answer.Samples)
			})
		}
		all.Wait()
		assert.Equal(t, 1, s.times())
		assert.Equal(t, 1, m.shared[shared.Miss])
		assert.Equal(t, 999, m.shared[shared.Hit]+m.shared[shared.Joined])
		assert.Greater(t, m.shared[shared.Joined], 90)
		assert.Greater(t, m.shared[shared.Hit], 800)
		time.Sleep(slot)
		answer, err := d.Share(t.Context(), s.source("a"), up(), slot)
		require.NoError(t, err)
		assert.Equal(t, []metrics.Sample{{Value: 2}}, answer.Samples, "the next slot")
	})
}

func TestSlot(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{
		time.Second: 100 * time.Millisecond, 10 * time.Second: time.Second, time.Minute: 3 * time.Second, time.Hour: 3 * time.Second,
	} {
		assert.Equal(t, want, shared.Slot(interval), interval)
	}
}

// TestNoNewsIsOlderThanASlot asks at every moment of a minute, as those do who ask often and those who ask seldom.
func TestNoNewsIsOlderThanASlot(t *testing.T) {
	desk(t, 1, func(t *testing.T, d *shared.Desk, _ *meter) {
		s := &server{}
		for range 600 {
			for _, interval := range []time.Duration{time.Minute, 10 * time.Second, time.Second} {
				slot := shared.Slot(interval)
				answer, err := d.Share(t.Context(), s.source("a"), up(), slot)
				require.NoError(t, err)
				require.Equal(t, s.asked[int(answer.Samples[0].Value)-1].At, answer.At)
				require.Less(t, time.Since(answer.At), slot)
			}
			time.Sleep(97 * time.Millisecond)
		}
	})
}

// TestWhatIsAnotherQuestion: another provider, expression or window.
func TestWhatIsAnotherQuestion(t *testing.T) {
	desk(t, 1, func(t *testing.T, d *shared.Desk, _ *meter) {
		s := &server{}
		ask := func(id, expr string, window time.Duration) float64 {
			answer, err := d.Share(t.Context(), s.source(id), metrics.Query{Expr: expr, Window: window}, time.Second)
			require.NoError(t, err)
			return answer.Samples[0].Value
		}
		assert.InDelta(t, 1, ask("a", "up", time.Minute), 0)
		assert.InDelta(t, 2, ask("b", "up", time.Minute), 0, "with other credentials")
		assert.InDelta(t, 3, ask("a", "down", time.Minute), 0)
		assert.InDelta(t, 4, ask("a", "up", time.Hour), 0)
		assert.InDelta(t, 1, ask("a", "up", time.Minute), 0)
	})
}

// TestWhichErrorsAreShared: that there is no data is an answer; trouble is not.
func TestWhichErrorsAreShared(t *testing.T) {
	for _, c := range []struct {
		err   error
		times int
	}{
		{metrics.NoDataf("nothing"), 1},
		{metrics.Rejectedf("no"), 2},
		{metrics.Transportf("down"), 2},
		{errors.New("other"), 2},
	} {
		desk(t, 1, func(t *testing.T, d *shared.Desk, m *meter) {
			s := &server{err: c.err}
			for range 2 {
				_, err := d.Share(t.Context(), s.source("a"), up(), time.Second)
				require.Equal(t, c.err, err)
			}
			assert.Equal(t, c.times, s.times(), c.err)
			assert.Len(t, m.errs, c.times)
		})
	}
}

// TestWhoWaitsForOneThatGaveUp does not give up with it, and asks.
func TestWhoWaitsForOneThatGaveUp(t *testing.T) {
	desk(t, 1, func(t *testing.T, d *shared.Desk, _ *meter) {
		s := &server{takes: 200 * time.Millisecond}
		first, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var both sync.WaitGroup
		both.Go(func() {
			_, err := d.Share(first, s.source("a"), up(), time.Second)
			assert.ErrorIs(t, err, metrics.Transport)
		})
		both.Go(func() {
			time.Sleep(50 * time.Millisecond)
			answer, err := d.Share(t.Context(), s.source("a"), up(), time.Second)
			assert.NoError(t, err)
			assert.Equal(t, []metrics.Sample{{Value: 2}}, answer.Samples)
		})
		both.Wait()
	})
}

// TestAServerThatHangs takes no places of the others, and its own are free again after patience. Who waited for one asks
// about the time when it got it.
func TestAServerThatHangs(t *testing.T) {
	desk(t, 3, func(t *testing.T, d *shared.Desk, m *meter) {
		hangs, fine := &server{takes: time.Hour}, &server{takes: time.Millisecond}
		var all sync.WaitGroup
		began := time.Now()
		for i := range 6 {
			all.Go(func() {
				answer, err := d.Share(t.Context(), hangs.source("a"), metrics.Query{Expr: fmt.Sprint(i)}, time.Second)
				assert.ErrorIs(t, err, metrics.Transport)
				assert.Equal(t, patience, time.Since(answer.At))
			})
		}
		synctest.Wait()
		assert.Equal(t, 3, m.running)
		_, err := d.Share(t.Context(), fine.source("a"), up(), time.Second)
		require.NoError(t, err)
		assert.Equal(t, time.Millisecond, time.Since(began))

		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = d.Enter(impatient, hangs.source("a").Server)
		require.EqualError(t, err, "there was no more time to ask")
		assert.Equal(t, 3, hangs.times(), "it was not asked")
		all.Wait()
		assert.Equal(t, 2*patience, time.Since(began), "three, and then three")
		assert.Zero(t, m.running)
		assert.Equal(t, 4, m.most)
	})
}

// TestWhatIsKeptIsBounded asks more than is kept, each thing twice.
func TestWhatIsKeptIsBounded(t *testing.T) {
	desk(t, 1, func(t *testing.T, d *shared.Desk, m *meter) {
		s := &server{}
		for range 2 {
			for i := range 1200 {
				q := up()
				q.Expr = fmt.Sprint(i)
				_, err := d.Share(t.Context(), s.source("a"), q, time.Second)
				require.NoError(t, err)
			}
		}
		assert.Equal(t, 1000, m.shared[shared.Hit])
		time.Sleep(3 * time.Second)
		for range 2 {
			_, err := d.Share(t.Context(), s.source("a"), up(), time.Second)
			require.NoError(t, err)
		}
		assert.Equal(t, 1001, m.shared[shared.Hit], "what is old has made room")
	})
}
