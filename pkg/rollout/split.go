package rollout

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Split is how traffic is divided: Weight percent to the canary, the rest to the primary.
type Split struct {
	// Weight is the canary's share, in percent.
	Weight int32
	// Mirror is the percentage of the primary's requests that is copied to the canary. Nobody sees the
	// canary's answers to them.
	Mirror int32
	// Match are requests that go to the canary whatever its weight.
	Match []v1beta1.RequestMatch
}

// SplitOf is the split that a status commits to.
func SplitOf(st *v1beta1.CanaryStatus) Split {
	return Split{Weight: st.Weight, Mirror: st.MirrorWeight, Match: st.Match}
}

// Reaches says that some request gets to the canary, be it a copy.
func (s Split) Reaches() bool { return s.Weight > 0 || s.Mirror > 0 || len(s.Match) > 0 }

// Equal says that two splits are the same.
func (s Split) Equal(o Split) bool {
	return s.Weight == o.Weight && s.Mirror == o.Mirror && equality.Semantic.DeepEqual(s.Match, o.Match)
}

// Gains says that next gives the canary something that it has not.
func (s Split) Gains(next Split) bool {
	return next.Weight > s.Weight || next.Mirror > s.Mirror ||
		len(next.Match) > 0 && !equality.Semantic.DeepEqual(s.Match, next.Match)
}

// Falls says that next takes something away from the canary and gives it nothing.
func (s Split) Falls(next Split) bool { return !s.Gains(next) && !s.Equal(next) }

// inWords says what the canary gets.
func (s Split) inWords() string {
	var parts []string
	if s.Weight > 0 {
		parts = append(parts, fmt.Sprintf("%d %% of the traffic", s.Weight))
	}
	if len(s.Match) > 0 {
		parts = append(parts, "the requests that match")
	}
	if s.Mirror > 0 {
		parts = append(parts, fmt.Sprintf("copies of %d %% of the requests", s.Mirror))
	}
	if len(parts) == 0 {
		return "no traffic"
	}
	return strings.Join(parts, " and ")
}
