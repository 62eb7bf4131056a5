package web

import (
	"math"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"weir.dev/weir/pkg/metrics"
)

const (
	// dearest is what an expression may cost, in CEL's units: a loop over some thousand items, and not a second.
	dearest = 100_000
	// mostSamples is how many numbers a list may have. Nobody can do with more than one.
	mostSamples = 1000
)

// value is an expression that takes numbers out of an answer.
type value struct{ program cel.Program }

// compile reads an expression. Its error is of the kind Rejected.
func compile(expr string) (value, error) {
	env, err := cel.NewEnv(cel.Variable("body", cel.DynType), cel.OptionalTypes(), cel.CrossTypeNumericComparisons(true))
	if err != nil {
		return value{}, metrics.Rejectedf("there is no CEL: %s", err)
	}
	ast, issues := env.Compile(expr)
	if issues.Err() != nil {
		var said []string
		for _, e := range issues.Errors() {
			said = append(said, e.Message)
		}
		return value{}, metrics.Rejectedf("spec.provider.value is no expression in CEL over body: %s",
			metrics.Quote(strings.Join(said, "; ")))
	}
	if !countable(ast.OutputType()) {
		return value{}, metrics.Rejectedf("spec.provider.value gives a value of type %s; let it give a number, a boolean, "+
			"or a list of numbers", metrics.Quote(ast.OutputType().String()))
	}
	program, err := env.Program(ast, cel.CostLimit(dearest))
	if err != nil {
		return value{}, metrics.Rejectedf("spec.provider.value cannot be evaluated: %s", metrics.Quote(err.Error()))
	}
	return value{program}, nil
}

// countable tells whether a value of that type may be a number: that of what comes out of the answer is not known.
func countable(t *cel.Type) bool {
	switch t.Kind() {
	case types.DynKind, types.DoubleKind, types.IntKind, types.UintKind, types.BoolKind, types.NullTypeKind:
		return true
	case types.ListKind:
		element := t.Parameters()[0]
		return element.Kind() == types.TypeParamKind || element.Kind() != types.ListKind && countable(element)
	}
	return false
}

// of gives the numbers of an answer. null is a number that is not there.
func (v value) of(body any) ([]metrics.Sample, error) {
	result, _, err := v.program.Eval(map[string]any{"body": body})
	if err != nil {
		return nil, metrics.Rejectedf("spec.provider.value finds no number in the answer: %s", metrics.Quote(err.Error()))
	}
	list, ok := result.(traits.Lister)
	if !ok {
		number, err := numberOf(result)
		if err != nil {
			return nil, err
		}
		return []metrics.Sample{{Value: number}}, nil
	}
	var samples []metrics.Sample
	for all := list.Iterator(); all.HasNext() == types.True; {
		number, err := numberOf(all.Next())
		if err != nil {
			return nil, err
		}
		if samples = append(samples, metrics.Sample{Value: number}); len(samples) > mostSamples {
			return nil, metrics.Rejectedf("spec.provider.value gives a list of more than %d numbers", mostSamples)
		}
	}
	return samples, nil
}

func numberOf(result ref.Val) (float64, error) {
	switch n := result.(type) {
	case types.Double:
		return float64(n), nil
	case types.Int:
		return float64(n), nil
	case types.Uint:
		return float64(n), nil
	case types.Bool:
		if n {
			return 1, nil
		}
		return 0, nil
	case types.Null:
		return math.NaN(), nil
	}
	return 0, metrics.Rejectedf("spec.provider.value gives a value of type %s where a number is needed",
		metrics.Quote(result.Type().TypeName()))
}
