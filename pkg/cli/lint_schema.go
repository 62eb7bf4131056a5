package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/artifacts"
)

// definition is one kind of Weir's as an API server serves it: the same code in the same order, without a server.
type definition struct {
	schema    *structural.Structural
	validator validation.SchemaValidator
	rules     *cel.Validator
	// namespaced says that its objects are in namespaces.
	namespaced bool
}

// definitions are those of all kinds, by kind.
func definitions() (map[string]*definition, error) {
	documents, err := artifacts.CRDs()
	if err != nil {
		return nil, err
	}
	all := map[string]*definition{}
	for _, document := range documents {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(document, crd); err != nil {
			return nil, fmt.Errorf("reading a definition of Weir's kinds: %w", err)
		}
		d, err := define(crd)
		if err != nil {
			return nil, fmt.Errorf("reading the definition of kind %s: %w", crd.Spec.Names.Kind, err)
		}
		all[crd.Spec.Names.Kind] = d
	}
	return all, nil
}

func define(crd *apiextensionsv1.CustomResourceDefinition) (*definition, error) {
	internal := &apiextensions.CustomResourceValidation{}
	err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(
		crd.Spec.Versions[0].Schema, internal, nil)
	if err != nil {
		return nil, err
	}
	schema, err := structural.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	if err := defaulting.PruneDefaults(schema); err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	return &definition{
		schema: schema, validator: validator, rules: cel.NewValidator(schema, true, celconfig.PerCallLimit),
		namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped,
	}, nil
}

// admit fills in the defaults of an object that is to be created, and says what the API server would refuse.
func (d *definition) admit(ctx context.Context, object map[string]any) (unknown []string, wrong field.ErrorList) {
	defaulting.Default(object, d.schema)
	meta, _, unknown, err := objectmeta.GetObjectMetaWithOptions(object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return nil, field.ErrorList{unreadable(err)}
	}
	options := structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	unknown = append(unknown, pruning.PruneWithOptions(object, d.schema, true, options)...)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, d.schema)
	delete(object, "status") // whoever creates an object does not set it

	if meta == nil {
		meta = &metav1.ObjectMeta{}
	}
	switch {
	case !d.namespaced:
		meta.Namespace = "" // the API server takes it away
	case meta.Namespace == "":
		meta.Namespace = metav1.NamespaceDefault // who applies it says which
	}
	if generated := meta.GenerateName; meta.Name == "" && generated != "" {
		meta.Name = generated + "00000" // as the API server makes a name of it
		object["metadata"].(map[string]any)["name"] = meta.Name
	}
	wrong = apivalidation.ValidateObjectMeta(meta, d.namespaced, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	wrong = append(wrong, validation.ValidateCustomResource(nil, object, d.validator)...)
	wrong = append(wrong, listtype.ValidateListSetsAndMaps(nil, d.schema, object)...)
	if !slices.ContainsFunc(wrong, blocking) {
		broken, _ := d.rules.Validate(ctx, nil, d.schema, object, nil, celconfig.RuntimeCELCostBudget)
		wrong = append(wrong, broken...)
	}
	return unknown, wrong
}

// unreadable is metadata with a value of another type.
func unreadable(err error) *field.Error {
	var other *json.UnmarshalTypeError
	if errors.As(err, &other) {
		path := field.NewPath("metadata").Child(other.Field)
		return field.TypeInvalid(path, other.Value, fmt.Sprintf("must be of type %s, and is a %s", other.Type, other.Value))
	}
	return field.Invalid(field.NewPath("metadata"), nil, err.Error())
}

// blocking errors keep the API server from asking the rules, which presume that the fields are well-formed.
func blocking(e *field.Error) bool {
	return slices.Contains([]field.ErrorType{field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong,
		field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid}, e.Type)
}

// tell says in one sentence what the API server refuses.
func tell(e *field.Error) string {
	detail := strings.ReplaceAll(e.Detail, e.Field+" in body ", "")
	detail, _, _ = strings.Cut(detail, " (e.g. ") // what follows is a regular expression
	switch e.Type {
	case field.ErrorTypeRequired:
		return e.Field + " is missing; set it"
	case field.ErrorTypeNotSupported:
		known := strings.Replace(detail, "supported values:", "it may be", 1)
		return fmt.Sprintf("%s is %q, which is not known; %s", e.Field, fmt.Sprint(e.BadValue), known)
	case field.ErrorTypeDuplicate:
		return fmt.Sprintf("%s is there twice%s; keep one", e.Field, inBrackets(plainValue(e.BadValue)))
	case field.ErrorTypeTypeInvalid:
		detail, _, _ = strings.Cut(detail, ": ")
		return e.Field + " " + detail
	}
	switch value := plainValue(e.BadValue); {
	case strings.HasPrefix(detail, "spec."): // a message of Weir's that names the field itself
		return detail
	case strings.HasPrefix(detail, "should have "): // of a list, and the value is its length
		return e.Field + " " + detail
	case value != "" && e.Type == field.ErrorTypeInvalid:
		return fmt.Sprintf("%s is %s: %s", e.Field, value, detail)
	}
	return e.Field + ": " + detail
}

// plainValue is a value that a person can read at a glance, or nothing.
func plainValue(v any) string {
	switch v := v.(type) {
	case string, int64, float64, bool:
		return fmt.Sprint(v)
	case map[string]any: // the key of an item
		var parts []string
		for _, name := range sorted(v) {
			parts = append(parts, fmt.Sprintf("%s %v", name, v[name]))
		}
		return strings.Join(parts, ", ")
	}
	return ""
}

// near is the field that an unknown one was probably meant to be, or nothing.
func (d *definition) near(path string) string {
	all := keys(path)
	schema := d.schema
	for _, key := range all[:len(all)-1] {
		switch property, ok := schema.Properties[key]; {
		case ok:
			schema = &property
		case schema.Items != nil:
			schema = schema.Items
		case schema.AdditionalProperties != nil && schema.AdditionalProperties.Structural != nil:
			schema = schema.AdditionalProperties.Structural
		default:
			return ""
		}
	}
	best, fewest := "", 3 // more slips than two, and it was another word
	for _, name := range sorted(schema.Properties) {
		if n := slips(strings.ToLower(name), strings.ToLower(all[len(all)-1])); n < fewest {
			best, fewest = name, n
		}
	}
	return best
}

// slips is how many letters must be added, left out or changed to make one word of the other.
func slips(a, b string) int {
	before := make([]int, len(b)+1)
	for j := range before {
		before[j] = j
	}
	for i := range len(a) {
		now := []int{i + 1}
		for j := range len(b) {
			change := before[j]
			if a[i] != b[j] {
				change++
			}
			now = append(now, min(change, before[j+1]+1, now[j]+1))
		}
		before = now
	}
	return before[len(b)]
}
