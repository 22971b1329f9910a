import TesseraCore
import Testing

// LibTorch reports by C++ exceptions. None may cross into Swift, and none may show an element.
@Suite struct ErrorTests {
  @Test func shapesThatDoNotFitAreNamed() throws {
    let error = failure { _ = try Tensor.zeros([2, 3]).matmul(Tensor.zeros([4, 5])) }
    #expect(error?.code == .shapeMismatch)
    #expect(error?.message.contains("2x3 and 4x5") == true)
    #expect(throwing(.shapeMismatch) { _ = try Tensor.zeros([2]) + Tensor.zeros([3]) })
    #expect(throwing(.shapeMismatch) { _ = try Tensor.zeros([2, 2]).item() })
    let image = try Tensor.zeros([1, 3, 8, 8])
    let geometry = ConvolutionGeometry(stride: [1, 1], padding: [0, 0], dilation: [1, 1])
    #expect(
      throwing(.shapeMismatch) {
        _ = try image.convolved(with: Tensor.zeros([4, 2, 3, 3]), geometry: geometry)
      }
    )
    #expect(
      throwing(.invalidArgument) {
        let uneven = ConvolutionGeometry(stride: [1, 1], padding: [0], dilation: [1, 1])
        _ = try image.convolved(with: Tensor.zeros([4, 3, 3, 3]), geometry: uneven)
      }
    )
  }

  @Test func inputsOfTooFewDimensionsAreErrorsEverywhere() throws {
    let number = try Tensor(1.0)
    let vector = try Tensor([1.0, 2])
    #expect(throws: TensorError.self) {
      _ = try attention(query: vector, key: vector, value: vector, isCausal: true)
    }
    #expect(throws: TensorError.self) {
      _ = try attention(query: vector, key: vector, value: vector, mask: number, isCausal: true)
    }
    #expect(throws: TensorError.self) { _ = try number.matmul(number) }
    #expect(throws: TensorError.self) { _ = try number.singularValues() }
    #expect(throws: TensorError.self) { _ = try vector.qr() }
    #expect(throws: TensorError.self) { _ = try number.layerNormalized(over: [2]) }
    #expect(throws: TensorError.self) { _ = try vector.groupNormalized(groups: 0) }
    #expect(throws: TensorError.self) { _ = try vector.maxPooled(kernel: [2, 2]) }
    #expect(throws: TensorError.self) { _ = try vector.maxPooled(kernel: []) }
    #expect(throws: TensorError.self) { _ = try vector.averagePooled(to: []) }
    #expect(throws: TensorError.self) { _ = try vector.resized(to: [4], using: .linear) }
    #expect(throws: TensorError.self) { _ = try vector.resized(to: [], using: .nearest) }
    #expect(throws: TensorError.self) { _ = try vector.lowerTriangle() }
    #expect(throws: TensorError.self) { _ = try einsum("ij,jk->ik", vector) }
  }

  @Test func indicesFromDataAreHidden() throws {
    let table = try Tensor.zeros([5, 2])
    for error in [
      failure { _ = try table.embeddings(at: Tensor([1, 4711])) },
      failure { _ = try table.embeddings(at: Tensor([-4711])) },
      failure { _ = try table.embeddingBags(at: Tensor([4711]), offsets: Tensor([0])) },
      failure { _ = try table.gathered(Tensor([4711])) },
      failure { _ = try table.gatheredElements(Tensor([4711], shape: [1, 1]), along: 0) },
      failure { _ = try table.elements(at: [Tensor([4711])]) },
      failure {
        _ = try table.scattered(
          Tensor.zeros([1, 1]),
          at: Tensor([4711], shape: [1, 1]),
          along: 0
        )
      },
      failure { _ = try Tensor([4711]).oneHot(classes: 3) },
    ] {
      #expect(error?.code == .indexOutOfRange, "\(error?.message ?? "no error")")
      #expect(error?.message.contains("4711") == false)
    }
  }

  @Test func matricesWithoutAnInverseAreNumericalErrors() throws {
    let singular = try Tensor.zeros([2, 2])
    #expect(throwing(.numerical) { _ = try singular.inverse() })
    #expect(throwing(.numerical) { _ = try singular.solve(Tensor.zeros([2])) })
    #expect(throwing(.numerical) { _ = try (singular - 1).cholesky() })
  }

  @Test func memoryThatIsNotThereIsAnError() throws {
    #expect(throwing(.outOfMemory) { _ = try Tensor.zeros([1 << 50]) })
    let wide = try Tensor.zeros([1, 1]).expanded(to: [1 << 25, 1 << 25])
    #expect(throwing(.outOfMemory) { _ = try wide.copied() })
  }

  @Test func whatADTypeCannotDoIsAnError() throws {
    #expect(throws: TensorError.self) { _ = try Tensor([1, 2]).asVariable() }
    #expect(throws: TensorError.self) { _ = try Tensor([true]) - Tensor([true]) }
    #expect(throws: TensorError.self) { _ = try Tensor([1.0]).imaginaryPart() }
    #expect(throws: TensorError.self) { _ = try Tensor([1.0]).moved(to: .cuda(99)) }
    #expect(throws: TensorError.self) { _ = try Tensor.zeros([2, 2], on: .cuda(99)) }
  }

  @Test(arguments: [-1, -2, 128, 256, .max, .min])
  func aNumberThatNoGPUHasIsNeverTakenForAnother(_ index: Int) throws {
    let error = failure { _ = try Tensor.zeros([1], on: .cuda(index)) }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message == "there is no such GPU")
    #expect(throws: TensorError.self) { _ = try Tensor([1.0]).moved(to: .cuda(index)) }
    #expect(throws: TensorError.self) { _ = try Generator(seed: 1, on: .cuda(index)) }
  }

  @Test func anErrorLeavesTheNextCallAlone() throws {
    for _ in 0..<1000 {
      #expect(throws: TensorError.self) { _ = try Tensor.zeros([2]) + Tensor.zeros([3]) }
      #expect(try (Tensor([1.0]) + 1).item() == 2)
    }
  }
}
