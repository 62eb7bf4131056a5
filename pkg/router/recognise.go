package router

import (
	"reflect"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Recognise says by which match requests go to the canary, and whether everything is as Weir leaves it. Added is what
// stands in a route for requests by a match. It is known again by rendering the committed match once more, or none:
// again gives what that adds, and whether all else is as rendered, too.
func Recognise(
	committed []v1beta1.RequestMatch, added []map[string]any,
	again func([]v1beta1.RequestMatch) (want []map[string]any, holds bool),
) (match []v1beta1.RequestMatch, asLeft bool) {
	if len(added) > 0 {
		match = unknown()
	}
	candidates := [][]v1beta1.RequestMatch{nil}
	if len(committed) > 0 {
		candidates = append(candidates, committed)
	}
	for _, m := range candidates {
		if want, holds := again(m); reflect.DeepEqual(want, added) {
			match, asLeft = m, holds
		}
	}
	return match, asLeft
}

// unknown stands for a match that is not the committed one. The schema lets nobody commit to an empty one.
func unknown() []v1beta1.RequestMatch { return []v1beta1.RequestMatch{{}} }
