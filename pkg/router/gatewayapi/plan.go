package gatewayapi

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// share divides the rules of a route as found, which is nil where there is none. While the canary gets nothing,
// it looks ahead and refuses a plan that could not be carried out to its end. A plan that is on is never held
// against a split: a rollback must not wait for a correction of the spec.
func share(app application, split rollout.Split, have *unstructured.Unstructured, rules []object) ([]object, error) {
	if split.Mirror > 0 {
		if err := mirrors(have); err != nil {
			return nil, err
		}
	}
	if !split.Reaches() && !reaches(app, have) {
		if err := foresee(app, have, rules); err != nil {
			return nil, err
		}
	}
	return divide(app, split, rules)
}

// reaches says that by a route, as it is, some request gets to the canary.
func reaches(app application, have *unstructured.Unstructured) bool {
	if have == nil {
		return false
	}
	own, added := parts(rulesOf(have))
	return len(added) > 0 || largestShare(app, own) > 0 || largestMirror(app, own) > 0
}

// foresee divides the rules for every split of a plan that needs more of a route than weights.
func foresee(app application, have *unstructured.Unstructured, rules []object) error {
	if err := editsAnswers(app, have); err != nil {
		return err
	}
	planned := app.Canary.DeepCopy()
	planned.Status.Canary = &v1beta1.RevisionStatus{Hash: "0000000000"} // as long as one will be
	app.Canary = planned
	for _, p := range plan(planned) {
		if p.split.Mirror > 0 {
			if err := mirrors(have); err != nil {
				return fmt.Errorf("%s cannot be carried out: %w", p.field, err)
			}
		}
		if _, err := divide(app, p.split, rules); err != nil {
			return fmt.Errorf("%s cannot be carried out: %w", p.field, err)
		}
	}
	return nil
}

// planned is a split that a field of the spec asks for.
type planned struct {
	field string
	split rollout.Split
}

func plan(c *v1beta1.Canary) []planned {
	a := &c.Spec.Analysis
	mirror := func(asked bool) int32 {
		if !asked {
			return 0
		}
		if a.MirrorWeight == 0 {
			return hundredths
		}
		return a.MirrorWeight
	}
	var all []planned
	if a.Match != nil {
		all = append(all, planned{"spec.analysis.match", rollout.Split{Match: a.Match}})
	}
	if a.Mirror {
		all = append(all, planned{"spec.analysis.mirror", rollout.Split{Mirror: mirror(true)}})
	}
	if a.SessionAffinity != nil {
		all = append(all, planned{"spec.analysis.sessionAffinity", rollout.Split{Weight: 1}})
	}
	weight := int32(0)
	for i, s := range a.Steps {
		if s.Weight != nil {
			weight = *s.Weight
		}
		if s.Match != nil || s.Mirror {
			all = append(all, planned{fmt.Sprintf("spec.analysis.steps[%d]", i),
				rollout.Split{Weight: weight, Mirror: mirror(s.Mirror), Match: s.Match}})
		}
	}
	return all
}
