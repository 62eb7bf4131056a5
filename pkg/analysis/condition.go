package analysis

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/cel-go/cel"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// mostConditionSteps is what evaluating a condition may cost, in CEL's own measure. Arithmetic costs a handful.
const mostConditionSteps = 10000

// condition is one that was compiled.
type condition struct {
	program cel.Program
	// comparing says that it asks for the primary's value.
	comparing bool
}

// compile checks a condition: it must be one of CEL's, of these names, and true or false.
func compile(expression string) (*condition, error) {
	env, err := cel.NewEnv(
		cel.Variable("value", cel.DoubleType), cel.Variable("baseline", cel.DoubleType),
		cel.Variable("weight", cel.IntType), cel.Variable("elapsed", cel.DurationType),
		cel.CrossTypeNumericComparisons(true),
	)
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(expression)
	if err := issues.Err(); err != nil {
		// Where it goes wrong is shown on lines of its own, which do not fit into a sentence.
		first, _, _ := strings.Cut(issues.Errors()[0].Message, "\n")
		return nil, fmt.Errorf("%s (it may use value, baseline, weight and elapsed)", first)
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("it gives a %s and must be true or false", ast.OutputType())
	}
	program, err := env.Program(ast, cel.CostLimit(mostConditionSteps))
	if err != nil {
		return nil, err
	}
	c := &condition{program: program}
	for _, ref := range ast.NativeRep().ReferenceMap() {
		c.comparing = c.comparing || ref.Name == "baseline"
	}
	return c, nil
}

// Baseline says that a metric's condition asks for the primary's value.
func Baseline(m v1beta1.CanaryMetric) bool {
	if m.Condition == "" {
		return false
	}
	c, err := compile(m.Condition)
	return err == nil && c.comparing
}

// conditioned judges a value by the metric's condition.
func conditioned(m v1beta1.CanaryMetric, in Input, value float64, c v1beta1.CheckStatus) v1beta1.CheckStatus {
	c.Value = number(value, v1beta1.ThresholdRange{})
	rule, err := compile(m.Condition)
	if err != nil {
		c.Verdict, c.Message = v1beta1.VerdictErrored, fmt.Sprintf("the condition %s cannot be used: %s", m.Condition, err)
		return c
	}
	knows := map[string]any{
		"value": value, "weight": int64(in.Weight), "elapsed": in.Elapsed.Truncate(time.Millisecond), "baseline": 0.0,
	}
	says := "value is " + c.Value
	if rule.comparing {
		baseline, verdict, why := in.Baseline.one(m.Reduce, "the query about the primary")
		if verdict != v1beta1.VerdictPassed {
			c.Verdict, c.Message = verdict, why
			return c
		}
		c.Baseline = number(baseline, v1beta1.ThresholdRange{})
		knows["baseline"], says = baseline, says+" and baseline "+c.Baseline
	}
	result, _, err := rule.program.Eval(knows)
	if err != nil {
		c.Verdict, c.Message = v1beta1.VerdictErrored, fmt.Sprintf("%s: %s, of which nothing can be said: %s", m.Condition, says, err)
		return c
	}
	c.Verdict, c.Message = v1beta1.VerdictFailed, fmt.Sprintf("%s is not so: %s", m.Condition, says)
	if result.Value() == true {
		c.Verdict, c.Message = v1beta1.VerdictPassed, fmt.Sprintf("%s: %s", m.Condition, says)
	}
	return c
}

// Problems are the reasons why the metrics of a spec cannot be judged, which its schema cannot see.
func Problems(spec *v1beta1.CanarySpec) []rollout.Problem {
	for _, m := range spec.Analysis.Metrics {
		if m.Condition == "" {
			continue
		}
		if _, err := compile(m.Condition); err != nil {
			return []rollout.Problem{{Reason: rollout.ReasonConditionInvalid, Message: fmt.Sprintf(
				"metric %s: condition %q cannot be used: %s; correct it", m.Name, m.Condition, err)}}
		}
	}
	return nil
}
