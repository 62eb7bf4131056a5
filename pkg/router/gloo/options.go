package gloo

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router"
)

// optionsOf are what the spec says of every request, whoever answers it.
func optionsOf(s *v1beta1.CanaryService) (object, error) {
	out := object{}
	if s.Timeout != "" {
		timeout, err := seconds(s.Timeout)
		if err != nil {
			return nil, err
		}
		out["timeout"] = timeout + "s"
	}
	if s.Retries != nil {
		retries, err := retries(s.Retries)
		if err != nil {
			return nil, err
		}
		out["retries"] = retries
	}
	if s.CorsPolicy != nil {
		cors, err := cors(s.CorsPolicy)
		if err != nil {
			return nil, err
		}
		out["cors"] = cors
	}
	if headers := headers(s.Headers); len(headers) > 0 {
		out["headerManipulation"] = headers
	}
	if s.Rewrite != nil && s.Rewrite.Authority != "" {
		out["hostRewrite"] = s.Rewrite.Authority
	}
	if from, to, ok := router.PathRewrite(s); ok {
		out["regexRewrite"] = object{"pattern": object{"regex": from}, "substitution": to}
	}
	return out, nil
}

// seconds is a time as a number of them, which is all that Gloo's own form of a time knows.
func seconds(d string) (string, error) {
	parsed, err := time.ParseDuration(d)
	if err != nil {
		return "", fmt.Errorf("writing a time: %w", err)
	}
	return strconv.FormatFloat(parsed.Seconds(), 'f', -1, 64), nil
}

func retries(r *v1beta1.Retries) (object, error) {
	out := object{"numRetries": int64(r.Attempts), "retryOn": r.RetryOn}
	if r.PerTryTimeout != "" {
		timeout, err := seconds(string(r.PerTryTimeout))
		if err != nil {
			return nil, err
		}
		out["perTryTimeout"] = timeout + "s"
	}
	return out, nil
}

func cors(c *v1beta1.CorsPolicy) (object, error) {
	out := object{}
	for _, origin := range c.AllowOrigins {
		field := "allowOrigin"
		value, regex := text(origin)
		if regex {
			field = "allowOriginRegex"
		}
		had, _ := out[field].([]any)
		out[field] = append(had, value)
	}
	for field, names := range map[string][]string{
		"allowMethods": c.AllowMethods, "allowHeaders": c.AllowHeaders, "exposeHeaders": c.ExposeHeaders,
	} {
		if len(names) > 0 {
			out[field] = router.List(names)
		}
	}
	if c.MaxAge != "" {
		// What stands here is sent to browsers, which know whole seconds.
		age, err := seconds(string(c.MaxAge))
		if err != nil {
			return nil, err
		}
		out["maxAge"], _, _ = strings.Cut(age, ".")
	}
	if c.AllowCredentials != nil {
		out["allowCredentials"] = *c.AllowCredentials
	}
	return out, nil
}

func headers(h *v1beta1.Headers) object {
	out := object{}
	if h == nil {
		return out
	}
	for of, ops := range map[string]*v1beta1.HeaderOperations{"request": h.Request, "response": h.Response} {
		if ops == nil {
			continue
		}
		var add []any
		for _, name := range slices.Sorted(maps.Keys(ops.Set)) {
			add = append(add, header(name, ops.Set[name], false))
		}
		for _, name := range slices.Sorted(maps.Keys(ops.Add)) {
			add = append(add, header(name, ops.Add[name], true))
		}
		if len(add) > 0 {
			out[of+"HeadersToAdd"] = add
		}
		if len(ops.Remove) > 0 {
			out[of+"HeadersToRemove"] = router.List(ops.Remove)
		}
	}
	return out
}

// header is one that is added, or takes the place of another. A percent sign would begin one of Envoy's variables.
func header(name, value string, add bool) object {
	return object{"header": object{"key": name, "value": strings.ReplaceAll(value, "%", "%%")}, "append": add}
}

// with is an object with another value of a field.
func with(of object, field string, value any) object {
	out := maps.Clone(of)
	out[field] = value
	return out
}
