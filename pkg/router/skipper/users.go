package skipper

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router"
)

// divisible refuses a user's Ingress beside which another would take more than its share.
func divisible(app router.App, users *unstructured.Unstructured) error {
	if err := router.LeadsToApex(app, users); err != nil {
		return err
	}
	ref := router.UsersIngress(app)
	name := fmt.Sprintf("Ingress %s/%s", ref.Namespace, ref.Name)
	if err := apexAlone(app, name, users); err != nil {
		return err
	}
	return byPredicates(app, name, users.GetAnnotations())
}

// apexAlone refuses paths of the apex for which Skipper would take Weir's Ingress before paths that lead elsewhere. It
// chooses by path first and then by the number of predicates, of which Weir's have more; and a path of the type
// ImplementationSpecific is such a predicate.
func apexAlone(app router.App, name string, users *unstructured.Unstructured) error {
	expressions := users.GetAnnotations()[pathModeKey] != "path-prefix"
	paths := router.IngressPaths(users)
	for _, apex := range paths {
		if apex.Service != app.Apex {
			continue
		}
		if apex.Host == "" {
			return fmt.Errorf("%s leads to Service %s by a rule without a host, and one beside it would come before the rules "+
				"that others have for theirs; name the host", name, app.Apex)
		}
		for _, other := range paths {
			if other.Service == app.Apex || other.Host != apex.Host {
				continue
			}
			if strings.TrimRight(other.Path, "/") == strings.TrimRight(apex.Path, "/") {
				return fmt.Errorf("%s has another backend than Service %s for the path %s of host %s, and one beside it would take "+
					"the requests of both; give them a path each", name, app.Apex, apex.Path, apex.Host)
			}
			const specific = "ImplementationSpecific"
			if expressions && apex.Type == specific && other.Type == specific {
				return fmt.Errorf("%s has the paths %s and %s of host %s with pathType %s, which to Skipper are expressions of equal "+
					"rank, and one beside it would take the requests of both; set pathType to Prefix",
					name, apex.Path, other.Path, apex.Host, specific)
			}
		}
	}
	return nil
}

// byChance are predicates with which requests are shared out already.
var byChance = regexp.MustCompile(`\bTraffic(Segment)?\s*\(`)

// byPredicates refuses annotations with which Skipper does not choose by Weir's predicates alone.
func byPredicates(app router.App, name string, annotations map[string]string) error {
	predicates := annotations[predicateKey]
	switch {
	case strings.TrimSpace(annotations[routesKey]) != "":
		return fmt.Errorf("%s has routes of its own by its annotation %s, and one beside it would come before them; "+
			"remove the annotation, or write an Ingress for them with the predicate Weight(100)", name, routesKey)
	case byChance.MatchString(predicates):
		return fmt.Errorf("%s takes a share of the requests by its annotation %s, and there can be no share of that; "+
			"remove the predicate", name, predicateKey)
	}
	for _, p := range planned(app.Canary) {
		for header := range p.match.Headers {
			if names(predicates, header) {
				return fmt.Errorf("%s has a condition on the header %s by its annotation %s, and %s has another, of which Skipper "+
					"may forget one; remove one of them", name, header, predicateKey, p.field)
			}
		}
	}
	if a := app.Canary.Spec.Analysis.SessionAffinity; a != nil && names(predicates, "cookie") {
		return fmt.Errorf("%s has a condition on the header cookie by its annotation %s, and spec.analysis.sessionAffinity "+
			"needs one, of which Skipper may forget one; use the predicate Cookie", name, predicateKey)
	}
	return nil
}
