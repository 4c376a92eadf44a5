package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	strictyaml "sigs.k8s.io/yaml"

	// The CRDs come with this module.
	_ "sigs.k8s.io/gateway-api/apis/v1"
)

type customResources map[runtimeschema.GroupVersionKind]customResource

// A version of a kind that a CustomResourceDefinition brings.
type customResource struct {
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

func readCustomResources(folder string) (customResources, error) {
	resources := customResources{}
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var definition apiextensionsv1.CustomResourceDefinition
		if err := strictyaml.Unmarshal(text, &definition); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if definition.Kind != "CustomResourceDefinition" {
			continue
		}
		for _, version := range definition.Spec.Versions {
			resource, err := newCustomResource(version)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			resources[runtimeschema.GroupVersionKind{
				Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind}] = resource
		}
	}
	return resources, nil
}

func newCustomResource(version apiextensionsv1.CustomResourceDefinitionVersion) (customResource, error) {
	var properties apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
		version.Schema.OpenAPIV3Schema, &properties, nil); err != nil {
		return customResource{}, err
	}
	structural, err := schema.NewStructural(&properties)
	if err != nil {
		return customResource{}, err
	}
	validator, _, err := validation.NewSchemaValidator(&properties)
	if err != nil {
		return customResource{}, err
	}
	return customResource{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}

func (r customResource) check(object *unstructured.Unstructured) error {
	unknown := pruning.PruneWithOptions(object.DeepCopy().Object, r.structural, true,
		schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(unknown) > 0 {
		return fmt.Errorf("unknown fields: %v", unknown)
	}
	if object.GetNamespace() == "" {
		return fmt.Errorf("metadata.namespace: Required value")
	}
	defaulting.Default(object.Object, r.structural)
	problems := validation.ValidateCustomResource(nil, object.Object, r.schema)
	problems = append(problems, listtype.ValidateListSetsAndMaps(nil, r.structural, object.Object)...)
	if len(problems) == 0 {
		more, _ := r.rules.Validate(context.Background(), nil, r.structural, object.Object, nil, math.MaxInt64)
		problems = append(problems, more...)
	}
	return problems.ToAggregate()
}
