package v1beta1_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// rule is one thing that the API server checks: what it takes, and what it refuses with which words.
type rule struct {
	// field that the refusal names.
	field string
	// from, where it is set, is the object that stands before yes and no change it.
	from string
	// yes and no are patches of the base: each makes an object that is taken, or refused.
	yes, no []string
	// says is what a person reads, or a part of it.
	says string
}

// testRules goes through a table, and then looks whether it leaves out anything that the schema has.
func testRules(t *testing.T, k kind, rules []rule) {
	_, err := k.client.Create(t.Context(), k.with(t), strictly(true))
	require.NoError(t, err, "the base itself must be taken")
	for _, r := range rules {
		require.NotEmpty(t, r.yes, "%s: %s", r.field, r.says)
		require.NotEmpty(t, r.no, "%s: %s", r.field, r.says)
		t.Run(r.field+"/"+r.says, func(t *testing.T) { testRule(t, k, r) })
	}
	for _, c := range constraints("", k.schema) {
		covered := slices.ContainsFunc(rules, func(r rule) bool {
			return anyIndex.ReplaceAllString(r.field, "[]") == c.field && strings.Contains(r.says, c.says)
		})
		assert.True(t, covered, "no case of the table is refused by %s, where the API server says %q", c.field, c.says)
	}
}

// anyIndex is a place in a list, or a key of a map.
var anyIndex = regexp.MustCompile(`\[[^\]]+\]`)

func testRule(t *testing.T, k kind, r rule) {
	submit := func(patch string) error {
		_, err := k.client.Create(t.Context(), k.with(t, patch), strictly(true))
		return err
	}
	if r.from != "" {
		stored, err := k.client.Create(t.Context(), k.with(t, r.from), strictly(false))
		require.NoError(t, err)
		defer func() {
			require.NoError(t, k.client.Delete(t.Context(), stored.GetName(), metav1.DeleteOptions{}))
		}()
		submit = func(patch string) error { return change(t, k, stored, patch) }
	}
	for _, patch := range r.yes {
		assert.NoError(t, submit(patch), "with %s", shortened(patch))
	}
	for _, patch := range r.no {
		err := submit(patch)
		if !assert.True(t, apierrors.IsInvalid(err), "%s was not refused as invalid: %v", shortened(patch), err) {
			continue
		}
		assert.True(t, names(err, r), "%s is refused, but not of %s with these words: %v", shortened(patch), r.field, err)
	}
}

func change(t *testing.T, k kind, stored *unstructured.Unstructured, patch string) error {
	changed := stored.DeepCopy()
	lay(changed.Object, fromYAML(t, patch))
	options := metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	_, err := k.client.Update(t.Context(), changed, options)
	return err
}

// strictly refuses fields that do not exist, so that a slip in the table cannot pass for a case of it.
func strictly(dry bool) metav1.CreateOptions {
	options := metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}
	if dry {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return options
}

// names says that one of an error's causes names the rule's field and uses its words.
func names(err error, r rule) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool {
		return dotted(c.Field) == dotted(r.field) && strings.Contains(c.Message, r.says)
	})
}

var keyOfMap = regexp.MustCompile(`\[([^\]0-9][^\]]*)\]`)

// dotted writes the keys of maps in one way, as the API server has two: a rule's refusal says headers[a], all
// others headers.a.
func dotted(field string) string { return keyOfMap.ReplaceAllString(field, ".$1") }

func shortened(patch string) string {
	if len(patch) > 120 {
		return patch[:120] + "…"
	}
	return patch
}

// constraint is one thing that a schema says of a field, with the words of its refusal.
type constraint struct{ field, says string }

// borrowed are the fields whose types are the Gateway API's: their bounds are tested there. Their rules
// are tested here all the same, because a rule may cost more than this API server allows it.
var borrowed = regexp.MustCompile(`^spec\.(canary\.)?service\.(gatewayRefs|hosts|match)\[\]`)

// unreachable are rules that no object can break, because the enum of a field is looked at before.
var unreachable = regexp.MustCompile(`^type must be one of \['Exact', 'PathPrefix', 'RegularExpression'\]$`)

// constraints lists what a person can run into: rules, enums, patterns, and least and greatest values.
// The greatest lengths are left out, because most of them are there to bound the cost of rules.
func constraints(field string, s *apiextensionsv1.JSONSchemaProps) []constraint {
	var all []constraint
	add := func(holds bool, says string) {
		if holds && !borrowed.MatchString(field) {
			all = append(all, constraint{field, says})
		}
	}
	for _, v := range s.XValidations {
		if !unreachable.MatchString(v.Message) {
			all = append(all, constraint{orRoot(field), v.Message})
		}
	}
	add(len(s.Enum) > 0, "supported values")
	add(s.Pattern != "", "should match")
	add(s.Minimum != nil, "should be greater than or equal to")
	add(s.Maximum != nil, "should be less than or equal to")
	add(s.MinLength != nil, "should be at least")
	add(s.MinItems != nil || s.MinProperties != nil, "should have at least")
	for name := range s.Properties {
		if field == "" && name != "spec" {
			continue // nobody writes a status by hand
		}
		inner := s.Properties[name]
		all = append(all, constraints(strings.TrimPrefix(field+"."+name, "."), &inner)...)
	}
	if s.Items != nil {
		all = append(all, constraints(field+"[]", s.Items.Schema)...)
	}
	if s.AdditionalProperties != nil {
		all = append(all, constraints(field+"[]", s.AdditionalProperties.Schema)...)
	}
	return all
}

// orRoot is how the API server calls the whole object.
func orRoot(field string) string {
	if field == "" {
		return "<nil>"
	}
	return field
}

// each makes a patch of every value, in the place of the # in a spec.
func each(spec string, values ...string) []string {
	patches := make([]string, len(values))
	for i, value := range values {
		patches[i] = "spec: {" + strings.ReplaceAll(spec, "#", value) + "}"
	}
	return patches
}

// long is a name of so many characters.
func long(n int) string { return strings.Repeat("a", n) }

// list is a YAML list of so many items.
func list(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
	}
	return "[" + strings.Join(items, ", ") + "]"
}
