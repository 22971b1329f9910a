internal import TesseraConfiguration

extension JobComponents {
  /// Tessera's own filters, under their names.
  mutating func registerFilters() {
    filters.register(ExcludeTensors.name) { arguments in
      try ExcludeTensors(arguments.required("names", .list(of: .text, count: 1...)))
    }
    filters.register(ExcludeMetrics.name) { arguments in
      try ExcludeMetrics(arguments.optional("names", .list(of: .text, count: 1...)))
    }
    filters.register(PersonalTensors.name) { arguments in
      try PersonalTensors(arguments.required("names", .list(of: .text, count: 1...)))
    }
    filters.register(ConvertWeights.name) { arguments in
      try ConvertWeights(
        to: arguments.optional(
          "to",
          .choice(of: ["differences": .weightDifference, "weights": .weights]),
          default: .weightDifference
        )
      )
    }
    filters.register(ClipNorm.name) { arguments in
      try ClipNorm(
        norm: arguments.optional("norm", .number, default: 1),
        measure: arguments.optional("measure", .choice, default: .l2),
        perTensor: arguments.optional("per_tensor", .boolean, default: false)
      )
    }
    filters.register(PercentilePrivacy.name) { arguments in
      try PercentilePrivacy(
        percentile: arguments.optional("percentile", .number, default: 10),
        gamma: arguments.optional("gamma", .number, default: 0.01),
        nonFloating: arguments.optional("non_floating", .choice, default: .excluded)
      )
    }
    filters.register(SVTPrivacy.name) { arguments in
      try SVTPrivacy(
        fraction: arguments.optional("fraction", .number, default: 0.1),
        epsilon: arguments.optional("epsilon", .number, default: 0.1),
        noiseVariance: arguments.optional("noise_variance", .number, default: 0.1),
        gamma: arguments.optional("gamma", .number, default: 1e-5),
        tau: arguments.optional("tau", .number, default: 1e-6),
        replacement: arguments.optional("replacement", .boolean, default: true),
        nonFloating: arguments.optional("non_floating", .choice, default: .excluded)
      )
    }
    filters.register(GaussianNoise.name) { arguments in
      let nonFloating = try arguments.optional(
        "non_floating",
        Schema<NonFloatingTensors>.choice,
        default: .excluded
      )
      if let deviation = try arguments.optional("standard_deviation", .number) {
        return try GaussianNoise(standardDeviation: deviation, nonFloating: nonFloating)
      }
      return try GaussianNoise(
        noiseMultiplier: arguments.optional("noise_multiplier", .number, default: 1),
        clipNorm: arguments.optional("clip_norm", .number, default: 1),
        nonFloating: nonFloating
      )
    }
    filters.register(LaplaceNoise.name) { arguments in
      let nonFloating = try arguments.optional(
        "non_floating",
        Schema<NonFloatingTensors>.choice,
        default: .excluded
      )
      if let scale = try arguments.optional("scale", .number) {
        return try LaplaceNoise(scale: scale, nonFloating: nonFloating)
      }
      return try LaplaceNoise(
        epsilon: arguments.optional("epsilon", .number, default: 1),
        sensitivity: arguments.optional("sensitivity", .number, default: 1),
        nonFloating: nonFloating
      )
    }
    filters.register(Quantize.name) { arguments in
      try Quantize(
        arguments.optional("format", .choice, default: .int8),
        blockSize: arguments.optional("block_size", .integer(in: 1...(1 << 24))),
        rounding: arguments.optional("rounding", .choice, default: .nearest)
      )
    }
    filters.register(Dequantize.name) { _ in Dequantize() }
    filters.register(TopK.name) { arguments in
      let perTensor = try arguments.optional("per_tensor", .boolean, default: false)
      let feedback = try arguments.optional("error_feedback", .boolean, default: true)
      if let count = try arguments.optional("count", Schema<Int>.integer(in: 1...)) {
        return try TopK(count: count, perTensor: perTensor, errorFeedback: feedback)
      }
      return try TopK(
        fraction: arguments.optional("fraction", .number, default: 0.01),
        perTensor: perTensor,
        errorFeedback: feedback
      )
    }
    filters.register(Densify.name) { _ in Densify() }
  }
}
