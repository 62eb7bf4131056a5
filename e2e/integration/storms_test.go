package integration

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seedVariable repeats a run of chance: set it to the seed that was printed.
const seedVariable = "WEIR_SEED"

// seedFor is one seed of several, and is printed.
func seedFor(t *testing.T, nth int) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv(seedVariable); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		require.NoError(t, err, seedVariable)
	} else {
		seed += uint64(nth)
	}
	t.Logf("%s=%d", seedVariable, seed)
	return seed
}

// storms are whole lives under an API server that fails at random: one request in four.
func storms() []fault {
	var all []fault
	for n := range 4 {
		for _, s := range []story{promotion(), rollback()} {
			all = append(all, fault{fmt.Sprintf("answers at random/%s %d", s.name, n+1), func(t *testing.T, c *cluster) {
				c.weather(t, s, seedFor(t, n))
			}})
		}
	}
	return all
}

func (c *cluster) weather(t *testing.T, s story, seed uint64) {
	t.Helper()
	a := c.application(t)
	storm := newStorm(seed, a.namespace)
	op := c.operateBy(t, c.clients(t, storm.wire), a.namespace, nil)
	defer op.end()
	storm.raging.Store(true)
	a.manage(s.metrics)
	s.prelude(a)
	s.user(a)
	t.Logf("requests: %v", storm.tally())
	assert.Greater(t, len(storm.tally()), 1, "nothing failed")
	s.check(a)
	a.told("NewRevision")
	a.toldEnd()
}
