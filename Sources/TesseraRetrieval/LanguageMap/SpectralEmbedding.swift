internal import TesseraCore

/// Places things in a plane so that those that are alike are near: Laplacian eigenmaps (Belkin and Niyogi, 2003).
public enum SpectralEmbedding {
  /// A place for each thing.
  ///
  /// - Parameter affinities: How alike each two things are, 0 or more; the diagonal is not looked at, and both directions are averaged.
  /// - Returns: The two coordinates of each, by the eigenvectors of the normalised Laplacian's two least eigenvalues above 0.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if they are not square, or fewer than three.
  public static func places(_ affinities: [[Double]]) throws -> [(x: Double, y: Double)] {
    let count = affinities.count
    guard count >= 3, affinities.allSatisfy({ $0.count == count }),
      affinities.allSatisfy({ $0.allSatisfy { $0.isFinite && $0 >= 0 } })
    else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "a map needs the affinities of three things or more to each other, none below 0"
      )
    }
    var weights = [[Double]](repeating: [Double](repeating: 0, count: count), count: count)
    for row in 0..<count {
      for column in 0..<count where column != row {
        weights[row][column] = (affinities[row][column] + affinities[column][row]) / 2
      }
    }
    let roots: [Double] = weights.map { max($0.reduce(0, +), 1e-300).squareRoot() }
    var laplacian: [Double] = []
    for row in 0..<count {
      for column in 0..<count {
        let own: Double = row == column ? 1 : 0
        laplacian.append(own - weights[row][column] / (roots[row] * roots[column]))
      }
    }
    let (_, vectors) = try Tensor(laplacian, shape: [count, count]).symmetricEigen()
    func axis(_ number: Int) throws -> [Double] {
      let values = try vectors.slice(at: number, along: 1).array(of: Double.self)
      let scaled = zip(values, roots).map { $0 / $1 }
      // An eigenvector may point either way; maps of one thing should look alike.
      let strongest = scaled.indices.max { abs(scaled[$0]) < abs(scaled[$1]) } ?? 0
      return scaled[strongest] < 0 ? scaled.map { -$0 } : scaled
    }
    return Array(zip(try axis(1), try axis(2))).map { (x: $0, y: $1) }
  }
}
