package skipper

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Annotations that Skipper reads.
const (
	predicateKey = "zalando.org/skipper-predicate"
	filterKey    = "zalando.org/skipper-filter"
	routesKey    = "zalando.org/skipper-routes"
	weightsKey   = "zalando.org/backend-weights"
	pathModeKey  = "zalando.org/skipper-ingress-path-mode"
)

// What an Ingress of Weir's begins with, or ends Weir's own part of its predicates with. The numbers are as small as
// they can be, so that an Ingress of the user's with a greater one comes before. A share counts for one predicate.
const (
	never     = "False()"
	pairsRank = "Weight(1)"
	waysRank  = "Weight(2)"
)

const full = 100

// piece is what Weir says in one Ingress, beside whatever the user says in his.
type piece struct {
	// predicates go before the user's.
	predicates string
	// weights of the backends, where there are two.
	weights string
	// cookie is set by answers.
	cookie string
}

// shut gets nothing.
func shut() piece { return piece{predicates: never} }

// pairOf divides the requests by the weights of the backends. With session affinity it takes the canary's share alone,
// because a filter is for all that an Ingress takes, and the primary's answers set no cookie; the rest goes by the
// user's Ingress.
func pairOf(app router.App, split rollout.Split) piece {
	if split.Weight == 0 {
		return piece{predicates: never, weights: weightsOf(app, 0)}
	}
	if cookie, ok := router.CookieOf(app, split); ok {
		share := strconv.FormatFloat(float64(split.Weight)/full, 'f', -1, 64)
		return piece{predicates: trafficBegins + share + ") && " + pairsRank, weights: weightsOf(app, full), cookie: cookie.Goes()}
	}
	return piece{predicates: pairsRank, weights: weightsOf(app, split.Weight)}
}

const trafficBegins = "Traffic("

func weightsOf(app router.App, canary int32) string {
	weights, _ := json.Marshal(map[string]int32{app.CanaryService: canary, app.Primary: full - canary}) // numbers can be written
	return string(weights)
}

// waysOf are the ways to the canary whatever its weight.
func waysOf(app router.App, split rollout.Split) ([]piece, error) {
	var ways []piece
	add := func(m v1beta1.RequestMatch) error {
		predicates, err := predicatesOf(m)
		if err != nil {
			return err
		}
		ways = append(ways, piece{predicates: strings.Join(append(predicates, waysRank), " && ")})
		return nil
	}
	for _, m := range split.Match {
		if err := add(m); err != nil {
			return nil, err
		}
	}
	if cookie, ok := router.CookieOf(app, split); ok {
		if err := add(v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{"cookie": cookie.Comes()}}); err != nil {
			return nil, err
		}
	}
	if len(ways) > mostWays {
		return nil, fmt.Errorf("a match has %d entries, and there is room for %d", len(split.Match), mostWays-1)
	}
	return ways, nil
}

// ingress is a whole Ingress of Weir's, with the annotations of another.
func (p piece) ingress(
	app router.App, ref router.Ref, from *unstructured.Unstructured, spec map[string]any,
) (*unstructured.Unstructured, error) {
	annotations := maps.Clone(from.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	if users := strings.TrimSpace(annotations[predicateKey]); users != "" && p.predicates != never {
		annotations[predicateKey] = p.predicates + " && " + users
	} else {
		annotations[predicateKey] = p.predicates
	}
	delete(annotations, weightsKey)
	if p.weights != "" {
		annotations[weightsKey] = p.weights
	}
	if p.cookie != "" {
		// The last filter is the first to see an answer; what the user's take away they take away before.
		filter := fmt.Sprintf("appendResponseHeader(%s, %s)", quote("Set-Cookie"), quote(p.cookie))
		if users := strings.TrimSpace(annotations[filterKey]); users != "" {
			filter += " -> " + users
		}
		annotations[filterKey] = filter
	}
	intent, err := router.MakeIngress(app, ref, annotations, spec)
	if err != nil {
		return nil, fmt.Errorf("rendering Ingress %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	return intent, nil
}
