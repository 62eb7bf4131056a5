package reference

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

type schema = apiextensionsv1.JSONSchemaProps

// strangers are the fields whose types are other people's: where those are described.
func strangers() map[string]string {
	const gateway = "https://gateway-api.sigs.k8s.io/reference/spec/"
	return map[string]string{
		"spec.service.gatewayRefs[]": "[ParentReference](" + gateway + ") of the Gateway API",
		"spec.service.match[]":       "[HTTPRouteMatch](" + gateway + ") of the Gateway API",
		"status.conditions[]": "Condition of Kubernetes: `type`, `status`, `reason`, `message`, `lastTransitionTime`, " +
			"`observedGeneration`",
	}
}

// API is the page of all kinds, out of their definitions.
func API(definitions [][]byte) (string, error) {
	var page strings.Builder
	page.WriteString("# The API\n\nEvery field of every kind of `weir.dev/v1beta1`: its type, its default, the rules by which an " +
		"API server refuses it, and what\nit means. This page is made of the definitions in `artifacts/crds`, by " +
		"`go test ./e2e/reference -run TestReference -rewrite`.\nThe [guide](../guide.md#the-canary) tells what is needed most.\n")
	kinds := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, text := range definitions {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(text, &crd); err != nil {
			return "", fmt.Errorf("reading a definition: %w", err)
		}
		kinds[crd.Spec.Names.Kind] = &crd
	}
	shown := writer{page: &page, of: map[string]string{}}
	// What several kinds have alike is told of the first of them.
	order := []string{"Canary", "MetricTemplate", "AlertProvider", "CanaryProfile", "ClusterMetricTemplate", "ClusterAlertProvider"}
	if have := slices.Sorted(maps.Keys(kinds)); !slices.Equal(have, slices.Sorted(slices.Values(order))) {
		return "", fmt.Errorf("the kinds are %s, and this knows %s", have, order)
	}
	page.WriteString("\n")
	for _, kind := range order {
		fmt.Fprintf(&page, "- [%s](#%s)\n", kind, anchor(kind))
	}
	for _, kind := range order {
		if err := shown.kind(kinds[kind]); err != nil {
			return "", err
		}
	}
	return page.String(), nil
}

// writer remembers under which heading an object was told first, by its schema.
type writer struct {
	page *strings.Builder
	of   map[string]string
	root string
}

func (w *writer) kind(crd *apiextensionsv1.CustomResourceDefinition) error {
	if len(crd.Spec.Versions) != 1 {
		return errors.New(crd.Name + " has more than one version")
	}
	w.root = crd.Spec.Names.Kind
	s := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	fmt.Fprintf(w.page, "\n## %s\n\n%s\n\n", w.root, prose(s.Description))
	where := "Its objects are in a namespace"
	if crd.Spec.Scope == apiextensionsv1.ClusterScoped {
		where = "Its objects are in no namespace"
	}
	fmt.Fprintf(w.page, "%s. For kubectl it is `%s`", where, crd.Spec.Names.Plural)
	if short := crd.Spec.Names.ShortNames; len(short) > 0 {
		fmt.Fprintf(w.page, ", in short `%s`", strings.Join(short, "`, `"))
	}
	w.page.WriteString(".\n")
	if len(s.XValidations) > 0 {
		w.page.WriteString("\n" + rules(s))
	}
	for _, part := range []string{"spec", "status"} {
		if of, ok := s.Properties[part]; ok {
			if err := w.object(part, &of); err != nil {
				return err
			}
		}
	}
	return nil
}

// object writes a section on an object, and then those on the objects within it.
func (w *writer) object(path string, s *schema) error {
	key, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("%s.%s: %w", w.root, path, err)
	}
	title := w.root + "." + path
	fmt.Fprintf(w.page, "\n### %s\n\n", title)
	if s.Description != "" {
		w.page.WriteString(prose(s.Description) + "\n\n")
	}
	w.of[string(key)] = title
	if len(s.XValidations) > 0 {
		w.page.WriteString(rules(s) + "\n")
	}
	w.page.WriteString(head("field", "type", "default", "rules", "meaning"))
	within := map[string]*schema{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field := s.Properties[name]
		inner, innerPath := object(&field, path+"."+name)
		link := ""
		if inner != nil {
			innerKey, err := json.Marshal(inner)
			if err != nil {
				return fmt.Errorf("%s.%s: %w", w.root, innerPath, err)
			}
			told := w.of[string(innerKey)]
			switch stranger, is := strangers()[innerPath]; {
			case is:
				link = stranger
			case told != "":
				link = "[" + cell(told) + "](#" + anchor(told) + ")"
			default:
				within[innerPath] = inner
				link = "[object](#" + anchor(w.root+"."+innerPath) + ")"
			}
		}
		w.page.WriteString(row(code(name), typeOf(&field, link), code(defaultTo(&field)),
			cell(strings.Join(bounds(name, s, &field), "; ")), cell(field.Description)))
	}
	for _, innerPath := range slices.Sorted(maps.Keys(within)) {
		if err := w.object(innerPath, within[innerPath]); err != nil {
			return err
		}
	}
	return nil
}

// object is what a field holds, itself or in a list or a map, where that has fields; and its path.
func object(field *schema, path string) (*schema, string) {
	switch {
	case len(field.Properties) > 0:
		return field, path
	case field.Items != nil && field.Items.Schema != nil:
		return object(field.Items.Schema, path+"[]")
	case field.AdditionalProperties != nil && field.AdditionalProperties.Schema != nil:
		return object(field.AdditionalProperties.Schema, path+"{}")
	}
	return nil, ""
}

// typeOf is a field's type in words; the link stands for the object that it holds.
func typeOf(field *schema, link string) string {
	switch {
	case field.XIntOrString:
		return "integer or string"
	case field.Items != nil && field.Items.Schema != nil:
		return "list of " + typeOf(field.Items.Schema, link)
	case field.AdditionalProperties != nil && field.AdditionalProperties.Schema != nil:
		return "map of " + typeOf(field.AdditionalProperties.Schema, link)
	case link != "":
		return link
	case field.Format != "" && field.Type == "string":
		return field.Format
	case field.Type == "":
		return "any"
	}
	return field.Type
}

func defaultTo(field *schema) string {
	if field.Default == nil {
		return ""
	}
	return strings.Trim(string(field.Default.Raw), `"`)
}

// bounds are the rules that a field has by itself, and what its own expressions say when they refuse it.
func bounds(name string, of, field *schema) []string {
	var all []string
	if slices.Contains(of.Required, name) {
		all = append(all, "required")
	}
	all = append(all, sizes(field)...)
	if field.Items != nil && field.Items.Schema != nil {
		for _, each := range sizes(field.Items.Schema) {
			all = append(all, "each "+each)
		}
		if len(field.Items.Schema.Properties) == 0 {
			all = append(all, messages(field.Items.Schema)...)
		}
	}
	if inner, _ := object(field, ""); inner != field { // those of an object stand in its own section
		all = append(all, messages(field)...)
	}
	return all
}

func sizes(s *schema) []string {
	var all []string
	if len(s.Enum) > 0 {
		var values []string
		for _, value := range s.Enum {
			values = append(values, "`"+strings.Trim(string(value.Raw), `"`)+"`")
		}
		all = append(all, "one of "+strings.Join(values, ", "))
	}
	number := func(words string, n *float64) {
		if n != nil {
			all = append(all, fmt.Sprintf("%s %g", words, *n))
		}
	}
	number("at least", s.Minimum)
	number("at most", s.Maximum)
	between := func(what string, least, most *int64) {
		switch {
		case least != nil && most != nil:
			all = append(all, fmt.Sprintf("%d to %d %s", *least, *most, what))
		case least != nil:
			all = append(all, fmt.Sprintf("at least %d %s", *least, what))
		case most != nil:
			all = append(all, fmt.Sprintf("at most %d %s", *most, what))
		}
	}
	between("characters", s.MinLength, s.MaxLength)
	between("items", s.MinItems, s.MaxItems)
	between("keys", s.MinProperties, s.MaxProperties)
	if s.Pattern != "" {
		all = append(all, "matches `"+s.Pattern+"`")
	}
	return all
}

// messages are what the expressions of a schema say when they refuse something.
func messages(s *schema) []string {
	var all []string
	for _, rule := range s.XValidations {
		if rule.Message != "" {
			all = append(all, rule.Message)
			continue
		}
		all = append(all, "`"+rule.Rule+"`")
	}
	return all
}

// rules of a whole object, as a list.
func rules(s *schema) string {
	said := "Rules:\n\n"
	for _, rule := range messages(s) {
		said += "- " + prose(rule) + "\n"
	}
	return said
}

// prose is a comment as paragraphs.
func prose(text string) string {
	return outsideCode(strings.TrimSpace(text), strings.NewReplacer("<", "&lt;", "*", `\*`))
}

// anchor is the name that a heading is linked by.
func anchor(heading string) string {
	return strings.ToLower(strings.NewReplacer(".", "", "[", "", "]", "", "{", "", "}", "").Replace(heading))
}
