import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct ConvertWeightsTests {
  @Test func weightsBecomeDifferencesAndWeightsAgain() throws {
    let reference = Exchange.weights(try Sample.reference())
    let context = Sample.context(reference: reference)
    let difference = try ConvertWeights().apply(to: .weights(Sample.weights()), in: context)
    #expect(difference.kind == .weightDifference)
    let weights = try ConvertWeights(to: .weights).apply(to: difference, in: context)
    #expect(weights.kind == .weights)
    for name in ["a", "b"] {
      try expectClose(difference[name], Sample.golden("model/\(name)"))
      try expectClose(weights[name], #require(Sample.weights()[name]))
    }
    let same = try ConvertWeights().apply(to: difference, in: Sample.context())
    #expect(try same.tensors.isIdentical(to: difference.tensors))
  }

  @Test func partsAreComparedWithTheirCounterparts() throws {
    let state = try Sample.reference()
    let doubled = try state.mapTensors { try $1 * 2 }
    let task = Exchange.collection(["model": .weights(state), "other": .weights(doubled)])
    let result = try ConvertWeights()
      .apply(to: task, in: Sample.context(reference: task))
    for part in ["model", "other"] {
      #expect(try #require(result.parts[part])["a"].differs(from: 0).any().item() == 0)
    }
    // A plain answer is compared with the part that is the model, and such a part with a plain task.
    let plain = try ConvertWeights().apply(to: .weights(state), in: Sample.context(reference: task))
    #expect(try plain["a"].differs(from: 0).any().item() == 0)
    let part = try ConvertWeights().apply(
      to: .collection(["model": .weights(state)]),
      in: Sample.context(reference: .weights(state))
    )
    #expect(try #require(part.parts["model"])["a"].differs(from: 0).any().item() == 0)
    expectRefusal(naming: "part 'stranger'") {
      _ = try ConvertWeights().apply(
        to: .collection(["stranger": .weights(state)]),
        in: Sample.context(reference: .weights(state))
      )
    }
  }

  @Test func wholeNumbersAreExactAndTypesWithoutSignsRefused() throws {
    let reference = Exchange.weights(try Sample.state(("n", Tensor([5, 1 << 60]))))
    let difference = try ConvertWeights().apply(
      to: .weights(Sample.state(("n", Tensor([7, (1 << 60) + 1])))),
      in: Sample.context(reference: reference)
    )
    #expect(try difference["n"].array(of: Int.self) == [2, 1])
    for tensor in [try Tensor([1, 0] as [UInt8]), try Tensor([true])] {
      let exchange = Exchange.weights(try Sample.state(("n", tensor)))
      expectRefusal(naming: "'n'", "\(tensor.dtype)") {
        _ = try ConvertWeights().apply(to: exchange, in: Sample.context(reference: exchange))
      }
    }
  }

  @Test func whatDoesNotFitTheTaskIsNamed() throws {
    let exchange = Exchange.weights(try Sample.reference())
    expectRefusal(naming: "site-4", "no model of the task") {
      _ = try ConvertWeights().apply(to: exchange, in: Sample.context())
    }
    let wrong: [(Tensor, String)] = [
      (try Tensor.zeros([12]), "[12]"), (try Tensor.zeros([13], dtype: .float64), "float64"),
    ]
    for (tensor, word) in wrong {
      let reference = Exchange.weights(try Sample.state(("a", exchange["a"]), ("b", tensor)))
      expectRefusal(naming: "site-4", "'b'", word) {
        _ = try ConvertWeights().apply(to: exchange, in: Sample.context(reference: reference))
      }
    }
    expectRefusal(naming: "site-4", "'b'", "without") {
      let reference = Exchange.weights(try Sample.state(("a", exchange["a"])))
      _ = try ConvertWeights().apply(to: exchange, in: Sample.context(reference: reference))
    }
    expectRefusal(.invalidConfiguration, naming: "kind", "metrics") {
      _ = try ConvertWeights(to: .metrics)
    }
  }
}
