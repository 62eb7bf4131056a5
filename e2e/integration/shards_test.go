package integration

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestSharded: of three replicas two have a shard each, and the third nothing to do. When one is killed in the middle of six
// releases, the third goes on with its shard, and no step is lost or comes twice.
func TestSharded(t *testing.T) {
	const many = 6
	c := start(t)
	c.compile(t)
	apps := make([]*application, many)
	for i := range apps {
		apps[i] = c.application(t)
		apps[i].manage("/good")
	}
	for shard, a := range apps[:2] { // so that both have something to do, whatever the namespaces are called
		canaries := a.weir.WeirV1beta1().Canaries(a.namespace)
		made, err := canaries.Get(t.Context(), "app", metav1.GetOptions{})
		require.NoError(t, err)
		made.Labels = map[string]string{v1beta1.ShardLabel: fmt.Sprint(shard)}
		_, err = canaries.Update(t.Context(), made, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	l := &ledger{}
	replicas := map[string]*replica{}
	for _, name := range []string{"a", "b", "c"} {
		replicas[name] = apps[0].replicate(name, l, "--namespace=", "--shards=2")
	}
	for _, a := range apps {
		adopt(a)
	}
	first, other := l.writers(apps[0].namespace), l.writers(apps[1].namespace)
	require.Len(t, first, 1)
	require.Len(t, other, 1)
	require.NotEqual(t, first, other, "each shard has a replica of its own")
	var third string
	for name := range replicas {
		if name != first[0] && name != other[0] {
			third = name
		}
	}
	require.Empty(t, l.by(third), "the third waits")

	for _, a := range apps {
		a.release("2")
	}
	apps[0].passes(weight(20))
	replicas[first[0]].signal(syscall.SIGKILL)
	for _, a := range apps {
		a.await("the run's end", func() bool { return len(a.last().History) == 1 && a.last().Phase == v1beta1.PhaseSucceeded })
		a.ended(v1beta1.OutcomePromoted)
		a.walked(0, 20, 60, 100, 0)
		a.toldEnd()
	}
	of := map[string]int{}
	for _, a := range apps {
		writers := l.writers(a.namespace)
		of[strings.Join(writers, " ")]++
	}
	assert.Equal(t, many, of[first[0]+" "+third]+of[other[0]], "who wrote, and after whom: %v", of)
	assert.NotZero(t, of[first[0]+" "+third])
	assert.NotZero(t, of[other[0]])
	l.handedOn(t, first[0], third)
}

// writers are the operators that changed something of a namespace, each time that another one did.
func (l *ledger) writers(namespace string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var who []string
	for _, w := range l.writes {
		if strings.Contains(w.what, "/namespaces/"+namespace+"/") && w.status < 300 {
			who = append(who, w.by)
		}
	}
	return slices.Compact(who)
}
