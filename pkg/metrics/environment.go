package metrics

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Environment is what a container is told of the question that it answers: in WEIR_NAME and so on what the functions of a
// query template say, and in WEIR_VARIABLES_TOPIC the variable topic. It is always in the same order. It is an error of the
// kind Rejected where two variables have one name there.
func (v Vars) Environment() ([]corev1.EnvVar, error) {
	all := []corev1.EnvVar{
		{Name: "WEIR_NAME", Value: v.Name}, {Name: "WEIR_NAMESPACE", Value: v.Namespace},
		{Name: "WEIR_TARGET", Value: v.Target}, {Name: "WEIR_SERVICE", Value: v.Service},
		{Name: "WEIR_REVISION", Value: v.Revision}, {Name: "WEIR_HASH", Value: v.Hash},
		{Name: "WEIR_WEIGHT", Value: strconv.Itoa(int(v.Weight))},
	}
	called := map[string]string{}
	for _, variable := range slices.Sorted(maps.Keys(v.Variables)) {
		name := "WEIR_VARIABLES_" + strings.Map(portable, variable)
		if other, taken := called[name]; taken {
			return nil, Rejectedf("templateVariables %s and %s are both %s to a container; rename one of them", other, variable, name)
		}
		called[name] = variable
		// Kubernetes would fill in what looks like $(NAME), unless the dollar is doubled.
		all = append(all, corev1.EnvVar{Name: name, Value: strings.ReplaceAll(v.Variables[variable], "$", "$$")})
	}
	return all, nil
}

// portable is a character of a name that every shell takes.
func portable(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return r - 'a' + 'A'
	case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return r
	}
	return '_'
}
